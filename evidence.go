package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What providers see is merged with what the library knows itself, and the
// library's own leases have the last word: evidence can shorten a lease, never
// end or prolong one. For each run there is one value with the connections that
// the provider told of. A connection joins once and leaves once, in whichever
// order the news of it arrive.

const (
	evidenceFor    = 24 * time.Hour // how long a key is remembered
	maxEvidence    = 1000           // pieces taken in at once
	maxConnections = 1024           // remembered of one run
	goneLease      = 5 * time.Second
)

// connection is one of a run's connections as the provider told of it.
type connection struct {
	User   UserID    `json:"user,omitempty"`
	Seat   SeatID    `json:"seat,omitempty"`
	Joined time.Time `json:"joined,omitzero"` // by the provider's clock
	Here   bool      `json:"here,omitempty"`  // it was told that it joined
	Gone   bool      `json:"gone,omitempty"`
	Left   time.Time `json:"left,omitzero"` // by the provider's clock
	// Missed says that a probe did not find it; a later one may.
	Missed bool      `json:"missed,omitempty"`
	Heard  time.Time `json:"heard"` // by ours
}

func (conn *connection) present() bool { return conn.Here && !conn.Gone && !conn.Missed }

// connections are those of one run, by their names.
type connections map[string]*connection

func connectionsKey(id CallID, epoch uint64) string { return "connections/" + runKey(id, epoch) }

func evidenceKey(typ, key string) string { return "evidence/" + typ + "/" + key }

// TakeEvidence takes in what a provider saw, in the name of the provider; the
// host must have made sure of it, as [Registry.Webhook] does. A piece that has
// its key in common with one of the last 24 h, that speaks of an earlier run or
// of another provider's call, or that says nothing new is dropped without an
// error. What comes back is an error of the store, after which the same pieces
// can be handed in again. At most 1,000 pieces are taken at once.
func (s *Service) TakeEvidence(ctx context.Context, typ string, list []Evidence) error {
	const op = "take evidence"
	e, err := s.registry.find(typ)
	if err != nil {
		return s.wrap(ctx, Actor{}, op, err)
	}
	if len(list) > maxEvidence {
		return s.wrap(ctx, Actor{}, op, &Error{Code: CodeLimited, Field: "evidence", Message: fmt.Sprintf("more than %d pieces of evidence", maxEvidence)})
	}
	for i := range list {
		ev := list[i]
		if err := ev.check(); err != nil {
			s.logger.WarnContext(ctx, "provider's evidence makes no sense", "provider", typ, "error", err)
			continue
		}
		if err := s.takeOne(ctx, e, &ev); err != nil {
			return s.wrap(ctx, Actor{}, op, err)
		}
	}
	return nil
}

func (ev *Evidence) check() error {
	if err := checkCallID(ev.Call); err != nil {
		return err
	}
	switch ev.Type {
	case EvidenceJoined, EvidenceLeft, EvidenceEnded, EvidenceRecording:
	default:
		return invalid("type", "is not known")
	}
	for field, text := range map[string]string{
		"key": ev.Key, "connection": ev.Connection, "user": string(ev.User), "seat": string(ev.Seat),
	} {
		if err := checkText(field, text, 0, maxID); err != nil {
			return err
		}
	}
	return nil
}

// takeOne takes in one piece. The run is read first, since evidence of an
// earlier one must not touch the present one.
func (s *Service) takeOne(ctx context.Context, e *entry, ev *Evidence) error {
	c, err := s.store.Call(ctx, ev.Call)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	stale := ev.Epoch != 0 && ev.Epoch != c.Epoch || ev.Epoch == 0 && !ev.Time.IsZero() && ev.Time.Before(c.Started)
	if stale || !c.Removed.IsZero() || !e.supports(c.Provider) {
		return nil
	}
	var o *once
	if ev.Key != "" {
		o = &once{key: evidenceKey(e.info.Type, ev.Key), print: "seen"}
		if done, err := s.carriedOut(ctx, o, nil); done || err != nil {
			return err
		}
	}
	switch ev.Type {
	case EvidenceEnded:
		if c.State != StateStarted {
			return nil
		}
		_, err := s.submitOnce(ctx, c.ID, &providerEndCommand{epoch: c.Epoch}, o)
		return err
	case EvidenceRecording:
		return s.note(ctx, c, nil, o, Event{Part: ev.User, Evidence: string(ev.Type)})
	}
	if c.State != StateStarted {
		return nil
	}
	return s.changeConnections(ctx, c, o, func(known connections) []Event { return known.take(ev, c, s.now()) })
}

// providerEndCommand ends a run that the provider has ended.
type providerEndCommand struct{ epoch uint64 }

func (cmd *providerEndCommand) apply(t *transition) error {
	c := t.call
	if c == nil || !c.Removed.IsZero() || c.Epoch != cmd.epoch || c.State != StateStarted {
		return nil
	}
	t.cause = CauseProvider
	t.tell(Event{Type: EventNoted, Evidence: string(EvidenceEnded)}, nil)
	t.stop(ReasonEnded)
	return nil
}

// changeConnections changes what is known of a run's connections, together with
// the journal, so that a piece of evidence counts once.
func (s *Service) changeConnections(ctx context.Context, c *Call, o *once, change func(connections) []Event) error {
	key := connectionsKey(c.ID, c.Epoch)
	for attempt := 0; attempt < nodeRetries && pauseBefore(ctx, attempt); attempt++ {
		known := make(connections)
		v, err := s.store.Value(ctx, key)
		var revision uint64
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		default:
			revision = v.Revision
			if err := json.Unmarshal(v.Data, &known); err != nil {
				return fmt.Errorf("decode connections: %w", err)
			}
		}
		events := change(known)
		known.bound()
		data, err := json.Marshal(known)
		if err != nil {
			return fmt.Errorf("encode connections: %w", err)
		}
		if v != nil && len(events) == 0 && string(data) == string(v.Data) {
			return nil
		}
		value := ValueChange{Key: key, Expect: revision, Data: data, Expires: s.now().Add(s.opts.MaxCallAge + evidenceFor)}
		err = s.note(ctx, c, &value, o, events...)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrOutcomeUnknown) {
			if done, err := s.carriedOut(ctx, o, nil); done || err != nil {
				return err
			}
			continue
		}
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return tooManyChanges()
}

// note writes events that only the journal and the timeline show, together
// with a value and an idempotency key.
func (s *Service) note(ctx context.Context, c *Call, value *ValueChange, o *once, events ...Event) error {
	now := s.now()
	change := &Change{}
	if value != nil {
		change.Values = append(change.Values, *value)
	}
	if o != nil {
		change.Values = append(change.Values, o.change(now))
	}
	for i := range events {
		e := &events[i]
		e.Type, e.Cause, e.Node, e.Time = EventNoted, CauseProvider, s.node, now
		e.CallID, e.Epoch, e.Version, e.Provider, e.Owner = c.ID, c.Epoch, c.Version, c.Provider, c.Owner
		e.Topics = []Topic{CallTopic(c.ID)}
	}
	change.Events = events
	pos, err := s.store.Commit(ctx, change)
	if err == nil {
		s.hub.announce(pos)
	}
	return err
}

// observeEvidence applies evidence from the journal to the leases kept here.
func (s *Service) observeEvidence(e *Event) {
	switch kind, _, _ := strings.Cut(e.Evidence, " "); EvidenceType(kind) {
	case EvidenceLeft:
		s.leases.shorten(e.CallID, e.Epoch, e.Part, e.Client, s.now().Add(goneLease))
	case EvidenceJoined:
		s.leases.restore(e.CallID, e.Epoch, e.Part, e.Client)
	}
}
