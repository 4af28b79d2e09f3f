package bayeux_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func TestConversation(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, nil)
		err := s.HandleService("/service/echo", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
			if err := r.Reply(r.Data); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		if r := last(c.exchange(t, say(c, `{"id":"1","channel":"/meta/subscribe","subscription":"/chat/*"}`))); !r.ok() || r.ID != "1" {
			t.Fatalf("subscribe: %s", r)
		}
		n, err := s.Publish(t.Context(), "/chat/a", json.RawMessage(`{"big":12345678901234567890,"exp":1e400}`))
		if n != 1 || err != nil {
			t.Fatalf("publish: %d, %v", n, err)
		}
		if m := c.next(t); m.Channel != "/chat/a" || string(m.Data) != `{"big":12345678901234567890,"exp":1e400}` {
			t.Fatalf("delivery: %s", m)
		}
		replies := c.exchange(t, say(c, `{"id":"2","channel":"/service/echo","data":{"q":1}}`))
		var result *message
		if len(replies) == 2 {
			result = replies[0]
		} else {
			result = c.next(t)
		}
		if string(result.Data) != `{"q":1}` || result.ID != "2" || !result.ok() {
			t.Fatalf("result: %s", result)
		}
		if r := last(c.exchange(t, say(c, `{"id":"3","channel":"/meta/disconnect"}`))); !r.ok() {
			t.Fatalf("disconnect: %s", r)
		}
		if s.Stats().Sessions != 0 {
			t.Fatal("the session is still there")
		}
	})
}
