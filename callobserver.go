package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

const (
	lateFor      = 24 * time.Hour // how long an event is offered to a provider
	lateRetry    = 2 * time.Second
	lateMaxRetry = time.Minute
	latePage     = 256
)

// callObserver hands the journal to a provider's [CallObserver]. An event that
// the provider does not take is laid aside in the store together with all later
// ones of the same call, and offered again, so that one call, or a provider
// that is away, does not hold up the journal.
type callObserver struct {
	service *Service
	entry   *entry
	// away is set while the provider takes nothing; events are then laid
	// aside without asking.
	away atomic.Bool
}

func latePrefix(typ string) string { return "late-event/" + typ + "/" }

func (o *callObserver) prefix() string { return latePrefix(o.entry.info.Type) }

// run follows the journal until ctx ends.
func (o *callObserver) run(ctx context.Context) error {
	return o.service.Listen(ctx, "provider/"+o.entry.info.Type, o.take)
}

func (o *callObserver) take(ctx context.Context, e *Event) error {
	if e.Type == EventReset {
		o.service.logger.ErrorContext(ctx, "provider missed events, the journal no longer has them", "provider", o.entry.info.Type)
		return nil
	}
	if e.CallID == "" || !o.entry.supports(e.Provider) {
		return nil
	}
	waiting, err := o.waiting(ctx, e.CallID)
	if err != nil {
		return err
	}
	if !waiting && !o.away.Load() {
		if err := o.offer(ctx, e); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return o.layAside(ctx, e)
}

// offer hands one event to the provider.
func (o *callObserver) offer(ctx context.Context, e *Event) error {
	err := tell(ctx, o.service.registry, o.entry, func(ctx context.Context) error {
		own := *e // shared with others
		return o.entry.observer.CallChanged(ctx, &own)
	})
	if err != nil && ctx.Err() == nil {
		o.service.logger.WarnContext(ctx, "provider did not take an event", "provider", o.entry.info.Type,
			"call", e.CallID, "event", e.Type, "error", err)
	}
	o.away.Store(err != nil && CodeOf(err) == CodeUnavailable)
	return err
}

// waiting tells whether earlier events of a call were laid aside.
func (o *callObserver) waiting(ctx context.Context, id CallID) (bool, error) {
	for _, err := range o.service.store.Values(ctx, ValueQuery{Prefix: o.lateKey(id), Limit: 1}) {
		return err == nil, err
	}
	return false, nil
}

func (o *callObserver) lateKey(id CallID) string {
	return fmt.Sprintf("%s%03d/%s/", o.prefix(), len(id), id)
}

// lateEvent keeps what an event's own JSON leaves out.
type lateEvent struct {
	Position Position `json:"position"`
	Event    *Event   `json:"event"`
}

func (o *callObserver) layAside(ctx context.Context, e *Event) error {
	data, err := json.Marshal(lateEvent{e.Position, e})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	_, err = o.service.store.Commit(ctx, &Change{Values: []ValueChange{{
		Key:    fmt.Sprintf("%s%016x", o.lateKey(e.CallID), uint64(e.Position)),
		Expect: AnyRevision, Data: data, Expires: o.service.now().Add(lateFor),
	}}})
	return err
}

// retry offers again what was laid aside, until ctx ends.
func (o *callObserver) retry(ctx context.Context) error {
	failures := 0
	for pause(ctx, backoff(failures, lateRetry, lateMaxRetry)) {
		progress, left, err := o.offerLate(ctx)
		switch {
		case err != nil:
			return err
		case left && !progress:
			failures++
		default:
			failures = 0
		}
		if !left {
			o.away.Store(false)
		}
	}
	return nil
}

// offerLate offers each call's events in order, until one is not taken. It
// tells whether any was taken and whether some are left.
func (o *callObserver) offerLate(ctx context.Context) (progress, left bool, err error) {
	after := ""
	stuck := "" // the call whose event was not taken
	for {
		var page []*Value
		for v, err := range o.service.store.Values(ctx, ValueQuery{Prefix: o.prefix(), After: after, Limit: latePage}) {
			if err != nil {
				return progress, left, err
			}
			page = append(page, v)
		}
		for _, v := range page {
			after = v.Key
			call := v.Key[:strings.LastIndexByte(v.Key, '/')]
			if call == stuck {
				continue
			}
			var late lateEvent
			if err := json.Unmarshal(v.Data, &late); err != nil || late.Event == nil {
				return progress, left, errors.New("decode late event")
			}
			late.Event.Position = late.Position
			if err := o.offer(ctx, late.Event); err != nil {
				if ctx.Err() != nil {
					return progress, true, ctx.Err()
				}
				stuck, left = call, true
				if o.away.Load() {
					return progress, true, nil
				}
				continue
			}
			progress = true
			if _, err := o.service.store.Commit(ctx, &Change{Values: []ValueChange{{Key: v.Key, Expect: AnyRevision}}}); err != nil {
				return progress, left, err
			}
		}
		if len(page) < latePage {
			return progress, left, nil
		}
	}
}
