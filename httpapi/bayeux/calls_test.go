package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestSlowCallDoesNotStopItsClient makes a call that takes long: what the
// client sends meanwhile is answered, further calls run beside it, and its
// context tells of its deadline and of the session's end.
func TestSlowCallDoesNotStopItsClient(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, nil)
		echo(t, s)
		ended := make(chan error, 1)
		err := s.HandleService("/service/slow", func(ctx context.Context, _ *bayeux.Session, r *bayeux.Request) {
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if until, ok := ctx.Deadline(); !ok || time.Until(until) != 5*time.Second || ctx.Err() != nil {
				t.Errorf("deadline %v %v, error %v", until, ok, ctx.Err())
			}
			<-child.Done()
			_ = r.Reply(json.RawMessage(`"late"`))
			ended <- child.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.connected(t, transport)
		wantOK(t, ask(t, c, `{"id":"1","channel":"/service/slow"}`))
		start := time.Now()
		wantOK(t, ask(t, c, `{"id":"2","channel":"/a","data":1}`))
		got := c.exchange(t, say(c, `{"id":"3","channel":"/service/echo","data":7}`))
		result := got[0]
		if result.Data == nil {
			result = c.next(t)
		}
		if string(result.Data) != "7" || time.Since(start) > time.Second {
			t.Errorf("after %v: %s", time.Since(start), result)
		}
		for session := range s.Sessions() {
			session.Kick()
		}
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}
