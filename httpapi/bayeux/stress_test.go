package bayeux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// TestStress lets many clients do everything at once, hang up half way and
// come back, and then checks that nothing is left of them.
func TestStress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var subscribed, opened atomic.Int64
		s := newSite(t, &bayeux.Options{
			MaxHandshakesPerAddress: bayeux.Unlimited, MaxUnknownPerAddress: bayeux.Unlimited, MaxQueue: 50, MaxMessageRate: 10_000,
			OnSession:       func(*bayeux.Session) { opened.Add(1) },
			OnSessionClosed: func(*bayeux.Session, bayeux.Reason) { opened.Add(-1) },
			OnSubscribe: func(context.Context, *bayeux.Session, string, *bayeux.Message) error {
				subscribed.Add(1)
				return nil
			},
			OnUnsubscribe: func(*bayeux.Session, string, bayeux.Reason) { subscribed.Add(-1) },
		})
		echo(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var clients sync.WaitGroup
		for i := range 24 {
			clients.Go(func() {
				for seed := uint64(i); ctx.Err() == nil; seed += 100 {
					r := rand.New(rand.NewPCG(seed, 1))
					if i%2 == 0 {
						stressPoller(ctx, t, s, r)
					} else {
						stressSocket(ctx, t, s, r)
					}
				}
			})
		}
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, _ = s.Publish(ctx, fmt.Sprintf("/c/%d", n%5), json.RawMessage(`"server"`))
				if n%50 == 0 {
					for session := range s.Sessions() {
						session.Kick()
						break
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		clients.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.Stats(); n.Sessions != 0 || n.Channels != 0 || n.Sockets != 0 || n.Panics != 0 || n.Delivered < 500 {
			t.Errorf("left: %+v", n)
		}
		if opened.Load() != 0 || subscribed.Load() != 0 {
			t.Errorf("%d sessions and %d subscriptions were never closed", opened.Load(), subscribed.Load())
		}
	})
}

// stressMessage makes up a message.
func stressMessage(r *rand.Rand) string {
	channel := fmt.Sprintf("/c/%d", r.IntN(5))
	switch r.IntN(8) {
	case 0, 1:
		return `{"id":"1","channel":"/meta/subscribe","subscription":["` + channel + `","/c/*"]}`
	case 2:
		return `{"id":"1","channel":"/meta/unsubscribe","subscription":"` + channel + `"}`
	case 3:
		return `{"id":"1","channel":"/service/echo","data":1}`
	case 4:
		return `{"id":"1","channel":"/meta/connect","advice":{"timeout":300}}`
	default:
		return `{"id":"1","channel":"` + channel + `","data":"x"}`
	}
}

func stressPoller(ctx context.Context, t *testing.T, s *site, r *rand.Rand) {
	p := s.poller(t)
	ack := fmt.Sprint(r.IntN(2) == 0)
	status, body, err := p.post(ctx, `[{"channel":"/meta/handshake","version":"1.0","ext":{"ack":`+ack+`}}]`)
	if err != nil || status != 200 {
		return
	}
	p.setID(decode(t, body)[0].ClientID)
	for range r.IntN(40) {
		step, cancel := ctx, context.CancelFunc(func() {})
		if r.IntN(6) == 0 {
			step, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(200))*time.Millisecond)
		}
		if r.IntN(10) == 0 {
			go func() { _, _, _ = p.post(ctx, say(p, `{"id":"2","channel":"/meta/connect","advice":{"timeout":500}}`)) }()
		}
		_, _, err := p.post(step, say(p, stressMessage(r), stressMessage(r)))
		cancel()
		if err != nil && ctx.Err() != nil {
			return
		}
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	}
	if r.IntN(2) == 0 {
		_, _, _ = p.post(ctx, say(p, `{"id":"1","channel":"/meta/disconnect"}`))
	}
}

func stressSocket(ctx context.Context, t *testing.T, s *site, r *rand.Rand) {
	c := s.socket(t, nil)
	defer func() { _ = c.conn.CloseNow() }()
	_ = c.conn.Write(ctx, websocket.MessageText, []byte(`[{"channel":"/meta/handshake","version":"1.0"}]`))
	_, body, err := c.conn.Read(ctx)
	if err != nil {
		return
	}
	c.setID(decode(t, body)[0].ClientID)
	if r.IntN(5) > 0 {
		go func() {
			for {
				if _, _, err := c.conn.Read(context.Background()); err != nil {
					return
				}
			}
		}()
	}
	for range r.IntN(40) {
		if c.conn.Write(ctx, websocket.MessageText, []byte(say(c, stressMessage(r)))) != nil {
			return
		}
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	}
	if r.IntN(2) == 0 {
		// Carry on over a new socket.
		again := s.socket(t, nil)
		defer func() { _ = again.conn.CloseNow() }()
		_ = again.conn.Write(ctx, websocket.MessageText, []byte(say(c, `{"id":"9","channel":"/meta/connect","advice":{"timeout":0}}`)))
		_, _, _ = again.conn.Read(ctx)
	}
}
