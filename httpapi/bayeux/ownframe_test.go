package bayeux_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestUnwrittenResultIsKept loses the connection while a call runs: its result,
// and what was delivered before and after it, reach the client on the next one
// in that order.
func TestUnwrittenResultIsKept(t *testing.T) {
	for _, before := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s := newSite(t, nil)
			called, lost := make(chan struct{}), make(chan struct{})
			deliver := func(session *bayeux.Session, channel string) {
				p, err := bayeux.Prepare(channel, json.RawMessage("1"), nil)
				if err == nil {
					err = session.Deliver(p)
				}
				if err != nil {
					t.Errorf("%s: %v", channel, err)
				}
			}
			err := s.HandleService("/service/echo", func(_ context.Context, session *bayeux.Session, r *bayeux.Request) {
				close(called)
				<-lost
				if before {
					deliver(session, "/before")
				}
				if err := r.Reply(json.RawMessage(`"kept"`)); err != nil {
					t.Error(err)
				}
				deliver(session, "/after")
			})
			if err != nil {
				t.Fatal(err)
			}
			c := s.socket(t, nil)
			hello(t, c, "")
			c.write(t, say(c, `{"id":"1","channel":"/service/echo"}`))
			<-called
			_ = c.conn.CloseNow()
			close(lost)

			again := s.socket(t, nil)
			again.setID(c.id())
			again.write(t, say(again, `{"id":"2","channel":"/meta/connect","connectionType":"websocket","advice":{"timeout":0}}`))
			want := []string{"/service/echo", "/after"}
			if before {
				want = append([]string{"/before"}, want...)
			}
			for _, channel := range want {
				m := again.next(t)
				for m.Channel == "/meta/connect" {
					m = again.next(t)
				}
				if m.Channel != channel || channel == "/service/echo" && (string(m.Data) != `"kept"` || m.ID != "1" || !m.ok()) {
					t.Fatalf("got %s, want one on %s", m, channel)
				}
			}
		})
	}
}

// TestResultsOfOneFrame makes several calls in one frame, whose handlers also
// deliver: everything arrives once and in order, after the replies.
func TestResultsOfOneFrame(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, &bayeux.Options{MaxCalls: 1})
		err := s.HandleService("/service/*", func(_ context.Context, session *bayeux.Session, r *bayeux.Request) {
			if err := r.Reply(r.Data); err != nil {
				t.Error(err)
			}
			if err := r.Fail(nil); err == nil {
				t.Error("a second answer counts")
			}
			p, err := bayeux.Prepare("/delivered", r.Data, nil)
			if err == nil {
				err = session.Deliver(p)
			}
			if err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		for _, calls := range [][]string{
			{`{"id":"1","channel":"/service/a","data":1}`},
			{`{"id":"2","channel":"/service/a","data":2}`, `{"id":"3","channel":"/service/b","data":3}`, `{"channel":"/service/b","data":4}`},
		} {
			want := len(calls)
			got := c.exchange(t, say(c, calls...))
			for delivered := 0; delivered < want; {
				if len(got) == 0 {
					got = append(got, c.next(t))
				}
				m := got[0]
				got = got[1:]
				switch {
				case m.Channel == "/delivered":
					delivered++
					if calls[delivered-1] != "" && string(m.Data) != calls[delivered-1][len(calls[delivered-1])-2:len(calls[delivered-1])-1] {
						t.Errorf("delivery %d is %s", delivered, m)
					}
				case m.Data != nil && (!m.ok() || m.ID != string(m.Data)):
					t.Errorf("result %s", m)
				}
			}
		}
	})
}
