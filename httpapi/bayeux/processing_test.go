package bayeux_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func TestMaxProcessing(t *testing.T) {
	const limit = 10 * time.Second
	slow := func(d time.Duration) *bayeux.Options {
		return &bayeux.Options{
			MaxInterval: time.Second, MaxProcessing: limit,
			OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) {
				time.Sleep(d)
				return true, nil
			},
		}
	}
	batch := []string{`{"id":"1","channel":"/meta/connect"}`, `{"id":"2","channel":"/a","data":1}`}
	item(t, "98 maxProcessing postpones the expiry", slow(9*time.Second), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, m := range c.exchange(t, say(c, batch[0], batch[1])) {
			wantOK(t, m)
		}
		wantOK(t, ask(t, c, `{"id":"3","channel":"/meta/connect","advice":{"timeout":0}}`))
	})
	item(t, "98 another request does not start the clock", slow(9*time.Second), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport).(*poller)
		start := time.Now()
		send := func(m ...string) <-chan int {
			return inBackground(func() int { status, _, _ := c.post(t.Context(), say(c, m...)); return status })
		}
		connect := send(batch[0], batch[1])
		synctest.Wait()
		var others []<-chan int
		for range 20 { // so many that some do not wait for their turn
			others = append(others, send(`{"id":"3","channel":"/b","data":1}`))
		}
		time.Sleep(5 * time.Second)
		if s.Stats().Sessions != 1 {
			t.Errorf("the session has ended after %v", time.Since(start))
		}
		<-connect
		for session := range s.Sessions() {
			session.Kick()
		}
		for _, done := range others {
			<-done
		}
	}, "long-polling")
	item(t, "98 maxProcessing ends a session that is stuck", slow(20*time.Second), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		start := time.Now()
		var live *bayeux.Session
		for live = range s.Sessions() {
		}
		done := inBackground(func() error {
			if p, ok := c.(*poller); ok {
				_, _, err := p.post(t.Context(), say(c, batch[0], batch[1]))
				return err
			}
			c.(*socketClient).write(t, say(c, batch[0], batch[1]))
			return nil
		})
		time.Sleep(limit - time.Millisecond)
		if !live.Alive() {
			t.Fatalf("ended after %v", time.Since(start))
		}
		time.Sleep(2 * time.Millisecond)
		if live.Alive() {
			t.Error("not ended")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	item(t, "98 maxProcessing does not count the hold", slow(0), func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		start := time.Now()
		for range 3 {
			wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`))
		}
		if d := time.Since(start); d != 90*time.Second {
			t.Errorf("held for %v", d)
		}
	})
}
