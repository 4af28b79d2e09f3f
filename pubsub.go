package webconferencing

import (
	"context"
	"io"
	"sync"
)

// PubSub carries hints between the nodes that share a [Store]: "the journal
// moved". Losing, doubling or reordering its messages delays remote delivery by
// at most [Options].PollInterval and changes nothing else, so a lossy broker
// will do. It uses standard types only, so that an adapter need not import this
// package.
type PubSub interface {
	// Publish sends payload to the subscribers of topic on all nodes,
	// including this one, in whatever order and number. It returns an error
	// if that can't be tried. It does not keep payload.
	Publish(ctx context.Context, topic string, payload []byte) error
	// Subscribe calls deliver for each message until the returned Closer is
	// closed; Close waits for a running deliver. deliver must be quick and
	// must not keep payload. ctx bounds the subscribing, not the
	// subscription.
	Subscribe(ctx context.Context, topic string, deliver func(payload []byte)) (io.Closer, error)
}

// LocalPubSub is a [PubSub] within one process. The zero value is not ready;
// use [NewLocalPubSub]. It starts no goroutine: Publish calls the subscribers
// itself.
type LocalPubSub struct {
	mu   sync.Mutex
	subs map[string]map[*localSubscription]struct{}
}

// NewLocalPubSub returns an empty LocalPubSub. Services that are to act as
// nodes of one cluster inside a process share it.
func NewLocalPubSub() *LocalPubSub {
	return &LocalPubSub{subs: make(map[string]map[*localSubscription]struct{})}
}

// Publish implements [PubSub].
func (p *LocalPubSub) Publish(_ context.Context, topic string, payload []byte) error {
	p.mu.Lock()
	subs := make([]*localSubscription, 0, len(p.subs[topic]))
	for s := range p.subs[topic] {
		subs = append(subs, s)
	}
	p.mu.Unlock()
	for _, s := range subs {
		s.deliverOne(payload)
	}
	return nil
}

// Subscribe implements [PubSub].
func (p *LocalPubSub) Subscribe(_ context.Context, topic string, deliver func([]byte)) (io.Closer, error) {
	s := &localSubscription{owner: p, topic: topic, deliver: deliver}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subs[topic] == nil {
		p.subs[topic] = make(map[*localSubscription]struct{})
	}
	p.subs[topic][s] = struct{}{}
	return s, nil
}

type localSubscription struct {
	owner *LocalPubSub
	topic string

	mu      sync.Mutex // held while delivering, so that Close waits
	deliver func([]byte)
}

func (s *localSubscription) deliverOne(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deliver != nil {
		s.deliver(payload)
	}
}

func (s *localSubscription) Close() error {
	s.owner.mu.Lock()
	delete(s.owner.subs[s.topic], s)
	if len(s.owner.subs[s.topic]) == 0 {
		delete(s.owner.subs, s.topic)
	}
	s.owner.mu.Unlock()
	s.mu.Lock()
	s.deliver = nil
	s.mu.Unlock()
	return nil
}
