package bayeux_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestFloodsLeaveNoMemory measures what floods cost while they last and after
// they have passed. The floods come from an address of their own each time, so
// that limits by address do not help.
func TestFloodsLeaveNoMemory(t *testing.T) {
	const requests, most, left = 1500, 48 << 20, 3 << 20
	var address atomic.Int64
	bubble(t, func(t *testing.T) {
		s := newSite(t, &bayeux.Options{
			MaxSessions: 500, MaxSessionsPerAddress: 5, MaxMessageRate: bayeux.Unlimited,
			ClientAddr: func(*http.Request) string { return fmt.Sprint(address.Add(1)) },
		})
		c := s.poller(t)
		hello(t, c, "")
		flood := func(name string, body func(i int) string) {
			before := memory()
			for i := range requests {
				if i%100 == 0 { // its session stays alive
					c.exchange(t, say(c, `{"id":"k","channel":"/meta/connect","connectionType":"long-polling","advice":{"timeout":0}}`))
				}
				if status, text, _ := s.request(t, http.MethodPost, body(i)); status >= 500 && status != http.StatusServiceUnavailable {
					t.Fatalf("%s: status %d, %s", name, status, text)
				}
			}
			during := memory() - before
			time.Sleep(30 * time.Second)
			hello(t, c, "")
			if after := memory() - before; during > most || after > left {
				t.Errorf("%s: %d KiB while it lasted, %d KiB after", name, during>>10, after>>10)
			}
			t.Logf("%s: %d KiB while it lasted", name, during>>10)
		}
		flood("handshakes", func(int) string { return `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]` })
		flood("unknown sessions", func(i int) string {
			return fmt.Sprintf(`[{"id":"%d","channel":"/meta/connect","connectionType":"long-polling","clientId":"nobody%d"}]`, i, i)
		})
		flood("bad JSON", func(i int) string { return fmt.Sprintf(`[{"id":"%d",`, i) })
		flood("names of channels", func(i int) string {
			return fmt.Sprintf(`[{"id":"1","channel":"/c/%d","data":1,"clientId":"x"}]`, i)
		})
	})
	bubble(t, func(t *testing.T) {
		s := newSite(t, &bayeux.Options{MaxMessageRate: bayeux.Unlimited})
		c := s.connected(t, "long-polling")
		before := memory()
		for i := range requests {
			c.exchange(t, say(c,
				fmt.Sprintf(`{"id":"1","channel":"/meta/subscribe","subscription":"/c/%d"}`, i), fmt.Sprintf(`{"id":"2","channel":"/d/%d","data":%d}`, i, i),
				fmt.Sprintf(`{"id":"3","channel":"/meta/unsubscribe","subscription":"/c/%d"}`, i),
			))
		}
		if after := memory() - before; after > left {
			t.Errorf("subscribing and unsubscribing: %d KiB", after>>10)
		}
		if n := s.Stats().Channels; n != 0 {
			t.Errorf("%d channels are left", n)
		}
	})
}
