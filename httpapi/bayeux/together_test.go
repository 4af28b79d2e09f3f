package bayeux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// frames returns text frames in one piece.
func frames(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		if n := len(text); n < 126 {
			b.Write([]byte{0x81, 0x80 | byte(n), 0, 0, 0, 0})
		} else {
			b.Write([]byte{0x81, 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0})
		}
		b.WriteString(text)
	}
	return b.String()
}

// send writes in one system call, so that the server reads it together.
func (c *bareSocket) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// gather reads frames until there are so many messages.
func (c *bareSocket) gather(t *testing.T, n int) (list []*message) {
	t.Helper()
	for len(list) < n {
		list = append(list, decode(t, c.read(t))...)
	}
	return list
}

// togetherSite has a session on a connection by hand. The service /service/gate
// waits until the channel is closed.
func togetherSite(t *testing.T, o *bayeux.Options, gate chan struct{}) (*site, *bareSocket) {
	t.Helper()
	s := socketSite(t, o, bare)
	echo(t, s)
	err := s.HandleService("/service/gate", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
		<-gate
		_ = r.Reply(r.Data)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := dialBare(t, strings.TrimPrefix(s.url, "http://"))
	hello(t, c, "")
	return s, c
}

// TestFramesThatArriveTogether checks that each gets its reply, and the results
// of remote calls come in their order.
func TestFramesThatArriveTogether(t *testing.T) {
	t.Parallel()
	// One at a time, since on a busy machine a call that looks slow is passed by others.
	_, c := togetherSite(t, &bayeux.Options{MaxMessageRate: bayeux.Unlimited, MaxPendingCalls: 1000, MaxQueue: 1000, MaxCalls: 1}, nil)
	for _, n := range []int{2, 16, 17, 100} {
		var texts, want []string
		for i := range n {
			texts = append(texts, say(c, fmt.Sprintf(`{"id":"%d","channel":"/service/echo","data":%d}`, i, i)))
			want = append(want, fmt.Sprint(i))
		}
		c.send(t, frames(texts...))
		var replies, results []string
		for _, m := range c.gather(t, 2*n) {
			if m.Successful != nil && m.Data == nil {
				wantOK(t, m)
				replies = append(replies, m.ID)
			} else {
				results = append(results, string(m.Data))
			}
		}
		if !slices.Equal(replies, want) || !slices.Equal(results, want) {
			t.Fatalf("%d frames: replies %v, results %v", n, replies, results)
		}
	}
}

// TestReplyDoesNotWaitForSlowNeighbours checks that the reply to a frame comes
// although the next one, which has arrived with it, takes long.
func TestReplyDoesNotWaitForSlowNeighbours(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]string{
		"remote call": `{"id":"2","channel":"/service/gate","data":2}`,
		"hook":        `{"id":"2","channel":"/meta/subscribe","subscription":"/slow"}`,
	} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{})
			hook := func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, _ *bayeux.Message) error {
				if channel == "/slow" {
					<-gate
				}
				return nil
			}
			_, c := togetherSite(t, &bayeux.Options{Authorize: hook}, gate)
			c.send(t, frames(say(c, `{"id":"1","channel":"/service/echo","data":1}`), say(c, slow)))
			list := c.gather(t, 2)
			wantOK(t, list[0])
			if list[0].ID != "1" || string(list[1].Data) != "1" {
				t.Errorf("got %v", list)
			}
			close(gate)
			if list = c.gather(t, 1); list[0].ID != "2" {
				t.Errorf("got %v", list)
			}
		})
	}
}

// TestRepliesBeforeABreach checks that what was done is told before the
// connection is closed for what came with it.
func TestRepliesBeforeABreach(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after string
		code  int
	}{
		"not JSON":  {frames("?"), 1008},
		"not UTF-8": {"\x81\x81\x00\x00\x00\x00\xff", 1007},
		"no mask":   {"\x81\x02[]", 1002},
	} {
		t.Run(name, func(t *testing.T) {
			_, k := togetherSite(t, nil, nil)
			k.send(t, frames(say(k, `{"id":"1","channel":"/service/echo","data":1}`))+c.after)
			if list := k.gather(t, 2); list[0].ID != "1" || string(list[1].Data) != "1" {
				t.Errorf("got %v", list)
			}
			if code := rawClose(k.in); code != c.code {
				t.Errorf("closed with %d; want %d", code, c.code)
			}
		})
	}
}

// TestDeliveriesBetweenFramesThatArriveTogether checks that messages of others
// come once and in order while replies are collected.
func TestDeliveriesBetweenFramesThatArriveTogether(t *testing.T) {
	t.Parallel()
	const rounds, messages = 50, 20
	s, c := togetherSite(t, &bayeux.Options{MaxMessageRate: bayeux.Unlimited, MaxQueue: 10_000, MaxPendingCalls: 1000}, nil)
	subscribe(t, c, "/a")
	done := inBackground(func() error {
		for i := range rounds * messages {
			if _, err := s.Publish(context.Background(), "/a", json.RawMessage(fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
	call := say(c, `{"id":"r","channel":"/service/echo","data":"r"}`)
	next, replies, results := 0, 0, 0
	take := func(n int) {
		for _, m := range c.gather(t, n) {
			switch {
			case m.Channel == "/a":
				if string(m.Data) != fmt.Sprint(next) {
					t.Fatalf("got message %s; want %d", m.Data, next)
				}
				next++
			case m.Data == nil:
				replies++
			default:
				results++
			}
		}
	}
	for range rounds {
		c.send(t, frames(slices.Repeat([]string{call}, 10)...))
		take(1)
	}
	for next < rounds*messages || replies < 10*rounds || results < 10*rounds {
		take(1)
	}
	if err := <-done; err != nil || replies > 10*rounds || results > 10*rounds {
		t.Errorf("%d replies, %d results, %v", replies, results, err)
	}
}
