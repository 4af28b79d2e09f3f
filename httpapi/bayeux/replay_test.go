package bayeux_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestReplayOfMuch checks that neither a long history nor a short queue keeps a
// client out.
func TestReplayOfMuch(t *testing.T) {
	const most = 50
	for _, ack := range []string{"", `,"ext":{"ack":true}`} {
		onBoth(t, func(t *testing.T, transport string) {
			h, err := bayeux.NewMemoryHistory(nil)
			if err != nil {
				t.Fatal(err)
			}
			s := newSite(t, &bayeux.Options{History: h, MaxQueue: most})
			first, err := h.Record(t.Context(), "/a", json.RawMessage(`{"n":0}`))
			if err != nil {
				t.Fatal(err)
			}
			var event struct{ Event struct{ ReplayID int64 } }
			if err := json.Unmarshal(first, &event); err != nil {
				t.Fatal(err)
			}
			for i := range 2 * most {
				publish(t, s, "/a", fmt.Sprintf(`{"n":%d}`, i+1))
			}
			c := s.client(t, transport)
			hello(t, c, ack)
			replay := func(id int64) *message {
				got := c.exchange(t, say(c, fmt.Sprintf(`{"id":"s","channel":"/meta/subscribe","subscription":"/a","ext":{"replay":{"/a":%d}}}`, id)))
				if p, ok := c.(*poller); ok {
					p.inbox = append(p.inbox, got[:len(got)-1]...)
				}
				return last(got)
			}
			wantError(t, replay(event.Event.ReplayID), "400::replay_id_invalid")
			wantOK(t, replay(bayeux.ReplayAll))
			for i := range most {
				publish(t, s, "/a", fmt.Sprintf(`{"n":%d}`, 2*most+1+i))
			}
			if k, ok := c.(*socketClient); ok && ack != "" {
				k.write(t, say(c, `{"id":"p","channel":"/meta/connect"}`))
			}
			for i := range 2 * most {
				m := c.next(t)
				var data struct{ N int }
				if err := json.Unmarshal(m.Data, &data); err != nil || data.N != most+1+i {
					t.Fatalf("message %d: %s", i, m)
				}
			}
			synctest.Wait() // until what was written is settled
			for session := range s.Sessions() {
				if ack == "" {
					if n, bytes := session.Queued(); n != 0 || bytes != 0 {
						t.Errorf("%d messages of %d bytes are left", n, bytes)
					}
				}
			}
		})
	}
}

func TestMemoryHistoryDefaults(t *testing.T) {
	h, err := bayeux.NewMemoryHistory(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 1100 {
		if _, err := h.Record(t.Context(), "/a", json.RawMessage(`1`)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := h.Since(t.Context(), "/a", bayeux.ReplayAll)
	if err != nil || len(list) != 1000 {
		t.Errorf("%d messages are kept: %v", len(list), err)
	}
}
