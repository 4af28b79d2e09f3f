package bayeux_test

import (
	"context"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// BenchmarkPublishHooks measures one publish on a WebSocket, from its writing
// to its acknowledgement, with the hooks that a publish asks.
func BenchmarkPublishHooks(b *testing.B) {
	for name, guard := range map[string]bool{"inline": false, "guarded": true} {
		b.Run(name, func(b *testing.B) { benchmarkPublishHooks(b, guard) })
	}
}

func benchmarkPublishHooks(b *testing.B, guard bool) {
	s := newSite(b, &bayeux.Options{
		GuardPublish: guard, MaxMessageRate: bayeux.Unlimited, MaxInterval: time.Hour, PingEvery: time.Hour,
		Authorize: func(context.Context, *bayeux.Session, bayeux.Operation, string, *bayeux.Message) error { return nil },
		OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) { return true, nil },
	})
	c := s.socket(b, nil)
	hello(b, c, "")
	text := say(c, `{"id":"1","channel":"/a","data":{"text":"hello"}}`)
	b.ReportAllocs()
	for b.Loop() {
		c.exchange(b, text)
	}
}
