package main

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// replayed keeps the messages of all channels. A message gets a replay id into
// its data only on channels for which a client has asked for replay: on all
// others it arrives as it was sent.
type replayed struct {
	*bayeux.MemoryHistory

	mu    sync.RWMutex
	asked map[string]bool
}

// mostAsked bounds what is remembered of channels.
const mostAsked = 10_000

func newReplayed() (*replayed, error) {
	history, err := bayeux.NewMemoryHistory(&bayeux.MemoryHistoryOptions{MaxBytes: 8 << 20})
	if err != nil {
		return nil, err
	}
	return &replayed{MemoryHistory: history, asked: make(map[string]bool)}, nil
}

// ask notes that somebody wants the ids of a channel.
func (r *replayed) ask(channel string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) < mostAsked {
		r.asked[channel] = true
	}
}

// subscribed is the hook for new subscriptions. A client that wants only what is
// new does not make the server look into the past, but has to learn the ids.
func (r *replayed) subscribed(_ context.Context, _ *bayeux.Session, channel string, m *bayeux.Message) error {
	if _, wants := m.Ext("replay"); wants {
		r.ask(channel)
	}
	return nil
}

// Record implements [bayeux.History].
func (r *replayed) Record(ctx context.Context, channel string, data json.RawMessage) (json.RawMessage, error) {
	kept, err := r.MemoryHistory.Record(ctx, channel, data)
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err != nil || r.asked[channel] {
		return kept, err
	}
	return data, nil
}

// Since implements [bayeux.History].
func (r *replayed) Since(ctx context.Context, channel string, after int64) ([]json.RawMessage, error) {
	list, err := r.MemoryHistory.Since(ctx, channel, after)
	if err == nil {
		r.ask(channel)
	}
	return list, err
}
