package storetest

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/webconferencing/webconferencing"
)

// Bench measures what a Service does all day. Open returns a fresh store,
// which is closed after each benchmark if it is an [io.Closer].
func Bench(b *testing.B, open func(b *testing.B) webconferencing.Store) {
	run := func(name string, bench func(*testing.B, webconferencing.Store)) {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			if c, ok := s.(io.Closer); ok {
				defer c.Close()
			}
			b.ReportAllocs()
			bench(b, s)
		})
	}
	for _, people := range []int{2, 100, 1000} {
		run(fmt.Sprintf("Call/people=%d", people), func(b *testing.B, s webconferencing.Store) {
			benchCommit(b, s, &webconferencing.Change{Call: benchCall(people)})
			for b.Loop() {
				if _, err := s.Call(b.Context(), "call"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("Commit/alone", func(b *testing.B, s webconferencing.Store) {
		c := &webconferencing.Change{Call: benchCall(2), Keys: []string{"user/0", "user/1"}}
		c.Events = []webconferencing.Event{event(1, day(0), "user/0", "user/1")}
		for b.Loop() {
			c.Expect, c.Call.Version = c.Call.Version, c.Call.Version+1
			benchCommit(b, s, c)
		}
	})
	run("Commit/together", func(b *testing.B, s webconferencing.Store) {
		b.SetParallelism(64)
		var n atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			id := n.Add(1)
			c := &webconferencing.Change{Call: benchCall(2), Keys: []string{"user/0", "user/1"}}
			c.Call.ID = webconferencing.CallID(fmt.Sprint(id))
			c.Events = []webconferencing.Event{event(1, day(0), "user/0", "user/1")}
			for pb.Next() {
				c.Expect, c.Call.Version = c.Call.Version, c.Call.Version+1
				benchCommit(b, s, c)
			}
		})
	})
	for _, people := range []int{1, 100, 1000} {
		run(fmt.Sprintf("Commit/topics=%d", people), func(b *testing.B, s webconferencing.Store) {
			c := &webconferencing.Change{}
			var topics []webconferencing.Topic
			for i := range people {
				topics = append(topics, webconferencing.Topic(fmt.Sprint("user/", i)))
			}
			for range 20 {
				c.Events = append(c.Events, event(1, day(0), topics...))
			}
			for b.Loop() {
				benchCommit(b, s, c)
			}
		})
	}
	for _, topic := range []webconferencing.Topic{"user/1", webconferencing.AllTopics} {
		run(fmt.Sprintf("Events/topic=%s", topic), func(b *testing.B, s webconferencing.Store) {
			for i := range 100 {
				benchCommit(b, s, &webconferencing.Change{Events: []webconferencing.Event{
					event(uint64(i), day(0), "user/1", "user/2"), event(uint64(i), day(0), "user/2"),
				}})
			}
			for b.Loop() {
				if _, err := s.Events(b.Context(), topic, 50, 20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchCommit(b *testing.B, s webconferencing.Store, c *webconferencing.Change) {
	if _, err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
}

// benchCall has people of whom each has a seat.
func benchCall(people int) *webconferencing.Call {
	c := &webconferencing.Call{ID: "call", Title: "Weekly", State: webconferencing.StateStarted, Provider: "webrtc"}
	for i := range people {
		user := webconferencing.UserID(fmt.Sprintf("user-%d", i))
		c.Participants = append(c.Participants, webconferencing.Participant{
			ID: user, Kind: webconferencing.KindUser, State: webconferencing.PartJoined, Client: "c1",
		})
		c.Seats = append(c.Seats, webconferencing.Seat{
			ID: "0123456789abcdef0123456789abcdef", User: user, Client: "c1", Node: "n1", Joined: day(0),
		})
	}
	return c
}
