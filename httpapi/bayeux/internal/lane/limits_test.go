package lane_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// TestNoLimitIsLeftBehind has requests and responses after a time in which every
// limit of those before would have passed.
func TestNoLimitIsLeftBehind(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		s := newPipeSite(t, func(s *site) { s.web.IdleTimeout = 0 })
		l := s.laneLine(t)
		text := post("/take", "x")
		for _, next := range []string{text, get("/page"), text, text} {
			l.send(text[:10])
			synctest.Wait()
			l.send(text[10:])
			l.receive()
			time.Sleep(time.Hour)
			l.send(next)
			l.receive()
			time.Sleep(time.Hour)
		}
	})
}

func TestIdleAfterTheHandlerHasWritten(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		s := newPipeSite(t, func(s *site) {
			s.take = func(w *lane.Response, _ *http.Request) { _, _ = io.WriteString(w, "x") }
		})
		l := s.laneLine(t)
		l.send(post("/take", "x"))
		l.receive()
		start := time.Now()
		l.over()
		if got := time.Since(start); got != idleTimeout {
			t.Errorf("ended after %v", got)
		}
	})
}

// TestConnectionsAreForgotten counts them when they have ended or gone to
// net/http.
func TestConnectionsAreForgotten(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		s := newPipeSite(t, nil)
		var lines []*line
		for range 4 {
			lines = append(lines, s.laneLine(t))
		}
		synctest.Wait()
		if n := s.lane.Conns(); n != len(lines) {
			t.Fatalf("%d connections", n)
		}
		for i, l := range lines {
			if i%2 == 0 {
				_ = l.Close()
				continue
			}
			l.send(get("/page"))
			l.receive()
		}
		synctest.Wait()
		if n := s.lane.Conns(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// TestContextAskedAfterItsRequest was never asked before.
func TestContextAskedAfterItsRequest(t *testing.T) {
	sink := make(chan context.Context, 1)
	everywhere(t, func(s *site) {
		h := s.web.Handler
		s.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			sink <- r.Context()
		})
	}, func(t *testing.T, s *site) {
		l := s.line(t)
		for range 2 {
			l.send(post("/take", "x"))
			l.receive()
			ctx := <-sink
			l.send(post("/take", "x")) // so that the first has ended
			l.receive()
			<-sink
			<-ctx.Done()
			if ctx.Err() != context.Canceled {
				t.Error(ctx.Err())
			}
		}
	})
}
