package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

// host is a running Service over a file.
type host struct {
	*wc.Service
	store  *boltstore.Store
	meter  *meter
	cancel context.CancelFunc
	done   chan error
}

// directory knows everybody, and one space with a given number of members.
type directory struct{ members []wc.UserID }

func (directory) User(_ context.Context, id wc.UserID) (*wc.User, error) {
	return &wc.User{ID: id, FirstName: "Test", LastName: string(id)}, nil
}

func (d directory) Group(_ context.Context, ref wc.Ref) (*wc.Group, error) {
	if len(d.members) == 0 {
		return nil, wc.ErrNotFound
	}
	return &wc.Group{Ref: ref, Title: ref.ID, GroupID: "/spaces/" + ref.ID, Members: d.members}, nil
}

func (d directory) IsMember(context.Context, wc.UserID, wc.Ref) (bool, error) {
	return len(d.members) > 0, nil
}

// provider has nothing to do with media, which are not measured here.
type provider struct{}

func (provider) Info() wc.ProviderInfo {
	return wc.ProviderInfo{Type: "webrtc", Title: "WebRTC", Groups: true}
}

func startHost(dir string, people int) (*host, error) {
	store, err := boltstore.Open(filepath.Join(dir, "calls.db"), nil)
	if err != nil {
		return nil, err
	}
	var d directory
	for i := range people {
		d.members = append(d.members, user(i))
	}
	h := &host{store: store, meter: &meter{Store: store}, done: make(chan error, 1)}
	// Nothing here renews a lease, and no ring is to end by itself.
	h.Service, err = wc.New(h.meter, d, &wc.Options{
		Providers: []wc.Provider{provider{}}, SeatTTL: time.Hour, RingTimeout: time.Hour,
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	go func() { h.done <- h.Run(ctx) }()
	return h, nil
}

func (h *host) stop() error {
	h.cancel()
	return errors.Join(<-h.done, h.Shutdown(context.Background()), h.store.Close())
}

// meter counts what is written, so that the bare program can write as much.
type meter struct {
	wc.Store
	commits                  atomic.Int64
	weighed, records, events atomic.Int64 // number and bytes
	values, valueBytes       atomic.Int64 // of those weighed
}

// weighAll is how many commits are weighed one by one. Of those after them a
// few are enough, since weighing costs the measured side time.
const weighAll, weighEvery = 64, 64

func (m *meter) Commit(ctx context.Context, c *wc.Change) (wc.Position, error) {
	pos, err := m.Store.Commit(ctx, c)
	if err != nil || c.Call == nil {
		return pos, err
	}
	if n := m.commits.Add(1); n <= weighAll || n%weighEvery == 0 {
		m.weighed.Add(1)
		m.records.Add(int64(size(c.Call)))
		m.events.Add(int64(eventSize(c.Events)))
		m.values.Add(int64(len(c.Values)))
		for _, v := range c.Values {
			m.valueBytes.Add(int64(len(v.Data)))
		}
	}
	return pos, nil
}

// size is about what a value takes on disk.
func size(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	return len(text)
}

// eventSize counts the topics that events share once, as the store keeps them.
func eventSize(events []wc.Event) int {
	sum := 0
	var last []wc.Topic
	for i := range events {
		e := &events[i]
		sum += size(e)
		if i == 0 || !slices.Equal(last, e.Topics) {
			last = e.Topics
			for _, topic := range e.Topics {
				sum += len(topic)
			}
		}
	}
	return sum
}

// volume is the writing of a case: commits, the bytes of the record and of the
// events of each, and how many values each writes besides, of how many bytes.
type volume struct{ commits, record, event, values, value float64 }

// start begins to weigh anew.
func (m *meter) start() {
	for _, n := range []*atomic.Int64{&m.commits, &m.weighed, &m.records, &m.events, &m.values, &m.valueBytes} {
		n.Store(0)
	}
}

// volume returns what was written since start.
func (m *meter) volume() volume {
	n := max(1, float64(m.weighed.Load()))
	return volume{
		commits: float64(m.commits.Load()), record: float64(m.records.Load()) / n, event: float64(m.events.Load()) / n,
		values: float64(m.values.Load()) / n, value: float64(m.valueBytes.Load()) / max(1, float64(m.values.Load())),
	}
}

func user(i int) wc.UserID { return wc.UserID(fmt.Sprintf("user-%06d", i)) }

func device(i int) wc.Actor { return wc.Actor{User: user(i), Client: "device-0001"} }

func pairCall(id string, caller, callee wc.Actor) wc.NewCall {
	return wc.NewCall{
		ID: wc.CallID(id), Owner: wc.Ref{Type: wc.OwnerUser, ID: string(caller.User)}, Provider: "webrtc",
		Title: "Test " + string(callee.User), Participants: []wc.UserID{caller.User, callee.User}, Start: true,
	}
}
