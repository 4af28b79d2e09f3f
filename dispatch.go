package webconferencing

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// The hub reads the journal and hands each event to the subscriptions of its
// topics. It learns that the journal moved from this process's own commits, by
// hints from other nodes, and by looking every PollInterval; only the reading
// counts, so hints may be lost, doubled or reordered.

// hintTopic is where nodes tell each other that the journal moved.
const hintTopic = "webconferencing.journal"

// eventPage is how many events are read at once.
const eventPage = 256

type hub struct {
	store  Store
	logger *slog.Logger
	wake   chan struct{} // the journal may have moved
	hint   chan struct{} // it moved by a commit of this node

	mu       sync.Mutex
	topics   map[Topic]map[*Subscription]struct{}
	watchers map[chan<- struct{}]struct{}
	begun    bool     // pos is set
	pos      Position // routed up to here
}

func newHub(store Store, logger *slog.Logger) *hub {
	return &hub{
		store: store, logger: logger,
		wake: make(chan struct{}, 1), hint: make(chan struct{}, 1),
		topics: make(map[Topic]map[*Subscription]struct{}), watchers: make(map[chan<- struct{}]struct{}),
	}
}

// watch pokes a channel whenever events were routed, until the function
// returned is called.
func (h *hub) watch(c chan struct{}) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[c] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, c)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// announce says that this node committed events.
func (h *hub) announce(Position) {
	poke(h.wake)
	poke(h.hint)
}

// run routes events until ctx ends. observe sees every event first.
func (h *hub) run(ctx context.Context, poll time.Duration, observe func(*Event)) error {
	if err := h.begin(ctx); err != nil {
		return err
	}
	timer := time.NewTicker(poll)
	defer timer.Stop()
	for {
		if err := h.catchUp(ctx, observe); err != nil && ctx.Err() == nil {
			h.logger.WarnContext(ctx, "journal can't be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-timer.C:
		}
	}
}

// begin sets the position from which events are routed: the journal's end at
// the first subscription or at the start, whichever comes first. What is
// committed between the two must not fall through.
func (h *hub) begin(ctx context.Context) error {
	h.mu.Lock()
	begun := h.begun
	h.mu.Unlock()
	if begun {
		return nil
	}
	end, err := h.store.Commit(ctx, &Change{})
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.begun {
		h.begun, h.pos = true, end
	}
	return nil
}

// catchUp routes everything between the hub's position and the journal's end.
func (h *hub) catchUp(ctx context.Context, observe func(*Event)) error {
	for {
		h.mu.Lock()
		after := h.pos
		h.mu.Unlock()
		events, err := h.store.Events(ctx, AllTopics, after, eventPage)
		if errors.Is(err, ErrPositionGone) {
			if err := h.reset(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		for i := range events {
			e := &events[i]
			observe(e)
			for _, sub := range h.advance(e) {
				sub.offer(e)
			}
		}
		if len(events) < eventPage {
			return nil
		}
	}
}

// advance moves the hub's position and returns who wants the event. Whoever
// subscribes afterwards starts behind it.
func (h *hub) advance(e *Event) []*Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pos = e.Position
	for c := range h.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	var subs []*Subscription
	for _, topic := range e.Topics {
		subs = slices.AppendSeq(subs, maps.Keys(h.topics[topic]))
	}
	return subs
}

// reset goes on at the journal's end after events were lost to this node, and
// tells every subscription so.
func (h *hub) reset(ctx context.Context) error {
	end, err := h.store.Commit(ctx, &Change{})
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.pos = end
	var subs []*Subscription
	for _, of := range h.topics {
		subs = slices.AppendSeq(subs, maps.Keys(of))
	}
	h.mu.Unlock()
	for _, sub := range subs {
		sub.offer(&Event{Type: EventReset, Position: end})
	}
	return nil
}

// hints publishes that this node committed something, and wakes the hub when
// another node did, until ctx ends.
func (h *hub) hints(ctx context.Context, bus PubSub, node string) error {
	sub, err := bus.Subscribe(ctx, hintTopic, func(payload []byte) {
		if string(payload) != node {
			poke(h.wake)
		}
	})
	if err != nil {
		return err
	}
	defer sub.Close()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.hint:
		}
		err := bus.Publish(ctx, hintTopic, []byte(node))
		if err != nil && !failing && ctx.Err() == nil {
			h.logger.WarnContext(ctx, "other nodes learn of changes late: publish failed", "error", err)
		}
		failing = err != nil
	}
}

func (h *hub) add(sub *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[sub.topic] == nil {
		h.topics[sub.topic] = make(map[*Subscription]struct{})
	}
	h.topics[sub.topic][sub] = struct{}{}
	if sub.live {
		sub.cursor = h.pos
	}
	sub.start = sub.cursor
}

func (h *hub) remove(sub *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.topics[sub.topic], sub)
	if len(h.topics[sub.topic]) == 0 {
		delete(h.topics, sub.topic)
	}
}

// count returns how many subscriptions there are.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, subs := range h.topics {
		n += len(subs)
	}
	return n
}

// Subscription delivers the events of one topic until it is closed. Its
// methods may be called concurrently, Close also from within deliver.
type Subscription struct {
	service *Service
	by      Actor
	topic   Topic
	deliver func(*Event)
	closing chan struct{}
	once    sync.Once
	start   Position

	mu     sync.Mutex // held while delivering: one event at a time
	cursor Position   // delivered up to here
	live   bool       // caught up with the journal
	more   bool       // events came while catching up
}

// offer delivers an event that is newer than everything delivered.
func (sub *Subscription) offer(e *Event) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if !sub.live {
		sub.more = true
		return
	}
	sub.hand(e)
}

// hand delivers e once and in order; sub.mu is held.
func (sub *Subscription) hand(e *Event) {
	select {
	case <-sub.closing:
		return
	default:
	}
	if e.Position <= sub.cursor && e.Type != EventReset {
		return
	}
	sub.cursor = e.Position
	defer func() {
		if v := recover(); v != nil {
			sub.service.logPanic(context.Background(), "event delivery", v)
		}
	}()
	sub.deliver(e)
}

// replay delivers what the journal holds after the cursor, then goes live.
func (sub *Subscription) replay(ctx context.Context) error {
	for {
		sub.mu.Lock()
		after := sub.cursor
		sub.more = false
		sub.mu.Unlock()
		events, err := sub.service.store.Events(ctx, sub.topic, after, eventPage)
		if err != nil {
			return err
		}
		sub.mu.Lock()
		for i := range events {
			sub.hand(&events[i])
		}
		if len(events) == 0 && !sub.more {
			sub.live = true
		}
		live := sub.live
		sub.mu.Unlock()
		if live {
			return nil
		}
	}
}

// Start returns the position behind which the delivery began: who was told
// nothing yet goes on from there.
func (sub *Subscription) Start() Position { return sub.start }

// Close ends the delivery. It does not wait for a deliver that is running.
func (sub *Subscription) Close() {
	sub.once.Do(func() {
		close(sub.closing)
		sub.service.hub.remove(sub)
	})
}

// Recheck asks again whether the subscriber may read the topic. The error is
// that of [Service.Subscribe]; the subscription is not closed by it.
func (sub *Subscription) Recheck(ctx context.Context) error {
	return sub.service.wrap(ctx, sub.by, "recheck subscription", sub.service.mayRead(ctx, sub.by, sub.topic))
}

// Subscribe delivers the events of a topic in order, each once, to deliver:
// from now on if after is nil, else everything behind that position first. It
// returns when the past has been delivered. deliver is called by one goroutine
// at a time, must not block and must not change the event.
//
// A user's topic is for that user only; a call's topics are for its parties,
// and [CallTopic] for administrators too. An error with [CodeGone] means that
// the journal no longer reaches back to after: the client has to read the state
// anew. An event of type [EventReset] says the same later on.
//
// ctx bounds the subscribing, not the subscription. Events flow while
// [Service.Run] does.
func (s *Service) Subscribe(ctx context.Context, by Actor, topic Topic, after *Position, deliver func(*Event)) (*Subscription, error) {
	const op = "subscribe"
	if deliver == nil {
		return nil, s.wrap(ctx, by, op, invalid("deliver", "is missing"))
	}
	if err := s.mayRead(ctx, by, topic); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := s.hub.begin(ctx); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	sub := &Subscription{
		service: s, by: by, topic: topic, deliver: deliver,
		closing: make(chan struct{}), live: after == nil,
	}
	if after != nil {
		sub.cursor = *after
	}
	s.hub.add(sub)
	if after == nil {
		return sub, nil
	}
	if err := sub.replay(ctx); err != nil {
		sub.Close()
		return nil, s.wrap(ctx, by, op, err)
	}
	return sub, nil
}
