package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
)

// operation is one method of a provider, called with harmless arguments. It
// returns what the provider gave.
type operation struct {
	name string
	call func(ctx context.Context) (any, error)
}

// operations are those that the provider has and that take a context.
func operations(p webconferencing.Provider, c *webconferencing.Call, m webconferencing.Meeting) []operation {
	req := webconferencing.MeetingRequest{Call: c.Clone(), Meeting: m}
	mary := webconferencing.Actor{User: "mary", Client: "m1"}
	var list []operation
	add := func(name string, call func(ctx context.Context) (any, error)) {
		list = append(list, operation{name, call})
	}
	if q, ok := p.(webconferencing.Preparer); ok {
		add("Prepare", func(ctx context.Context) (any, error) { return q.Prepare(ctx, c.Clone()) })
	}
	if q, ok := p.(webconferencing.Joiner); ok {
		add("Join", func(ctx context.Context) (any, error) { return q.Join(ctx, joining(c, 0, m)) })
	}
	if q, ok := p.(webconferencing.ClientConfigurer); ok {
		add("ClientSettings", func(ctx context.Context) (any, error) { return q.ClientSettings(ctx, mary) })
	}
	if q, ok := p.(webconferencing.Updater); ok {
		add("UpdateMeeting", func(ctx context.Context) (any, error) { return q.UpdateMeeting(ctx, req) })
	}
	if q, ok := p.(webconferencing.Prober); ok {
		add("Probe", func(ctx context.Context) (any, error) { return q.Probe(ctx, req) })
	}
	if q, ok := p.(webconferencing.Checker); ok {
		add("Check", func(ctx context.Context) (any, error) { return q.Check(ctx) })
	}
	if q, ok := p.(webconferencing.CallObserver); ok {
		add("CallChanged", func(ctx context.Context) (any, error) {
			return nil, q.CallChanged(ctx, &webconferencing.Event{
				Type: webconferencing.EventState, CallID: c.ID, Epoch: c.Epoch, Provider: c.Provider, State: c.State, Time: c.Started,
			})
		})
	}
	if q, ok := p.(webconferencing.Recorder); ok {
		add("Recordings", func(ctx context.Context) (any, error) { return q.Recordings(ctx, req, mary) })
	}
	if q, ok := p.(webconferencing.AvailabilitySource); ok {
		within := webconferencing.Interval{From: c.Started, To: c.Started.Add(time.Hour)}
		add("Busy", func(ctx context.Context) (any, error) { return q.Busy(ctx, "mary", within) })
	}
	if q, ok := p.(webconferencing.Telephone); ok {
		add("PhoneNumbers", func(ctx context.Context) (any, error) { return q.PhoneNumbers(ctx, req) })
	}
	if q, ok := p.(webconferencing.InfoPanel); ok {
		add("InfoItems", func(ctx context.Context) (any, error) { return q.InfoItems(ctx, req, mary) })
	}
	if q, ok := p.(webconferencing.AccountConnector); ok {
		add("ConnectAccount", func(ctx context.Context) (any, error) {
			return q.ConnectAccount(ctx, mary, "https://portal.example/back", "0123456789abcdef")
		})
	}
	if q, ok := p.(webconferencing.WebhookReceiver); ok {
		add("Webhook", func(ctx context.Context) (any, error) {
			return q.Webhook(ctx, webconferencing.WebhookRequest{Method: "POST", Body: []byte(`{}`), Remote: netip.MustParseAddr("192.0.2.1")})
		})
	}
	// The last one, since the meeting is over then.
	if q, ok := p.(webconferencing.Ender); ok {
		add("EndMeeting", func(ctx context.Context) (any, error) { return nil, q.EndMeeting(ctx, req) })
	}
	return list
}

// cancels calls everything with a context that has ended: whether there is an
// error is up to the provider, but it must be back soon.
func cancels(ctx context.Context, p webconferencing.Provider, o *Options) error {
	c := sample(p, 7)
	m, err := prepared(ctx, p, c)
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	for _, op := range operations(p, c, m) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = op.call(over)
		}()
		select {
		case <-done:
		case <-time.After(o.Patience):
			return fmt.Errorf("%s goes on %v after its context ended", op.name, o.Patience)
		}
	}
	return nil
}

// concurrent runs everything at once, for the race detector.
func concurrent(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var faults []error
	for i := range 8 {
		wg.Go(func() {
			err := check{run: func(ctx context.Context, p webconferencing.Provider, _ *Options) error {
				c := sample(p, 100+i)
				m, err := prepared(ctx, p, c)
				if err != nil {
					return err
				}
				for _, op := range operations(p, c, m) {
					_, _ = op.call(ctx)
				}
				_ = p.Info()
				return nil
			}}.guarded(ctx, p, nil)
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, err)
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}

// secrets looks for secrets in everything that leaves the provider.
func secrets(ctx context.Context, p webconferencing.Provider, o *Options) error {
	c := sample(p, 8)
	m, err := prepared(ctx, p, c)
	if err != nil {
		return err
	}
	look := func(where string, v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		text := string(raw) + fmt.Sprintf("%+v", v)
		for _, s := range o.Secrets {
			if s != "" && strings.Contains(text, s) {
				return fmt.Errorf("%s shows a secret", where)
			}
		}
		return nil
	}
	faults := []error{look("Info", p.Info())}
	for _, op := range operations(p, c, m) {
		switch v, err := op.call(ctx); {
		case err != nil:
			faults = append(faults, look("the error of "+op.name, err.Error()))
		case op.name == "Prepare", op.name == "UpdateMeeting": // for the store, not for people
		default:
			faults = append(faults, look(op.name, v))
		}
	}
	if q, ok := p.(webconferencing.Configurable); ok {
		faults = append(faults, look("Settings", q.Settings()))
		bad := make(map[string]string)
		for _, set := range q.Settings() {
			bad[set.Key] = ""
			for _, s := range o.Secrets {
				bad[set.Key] += s + "\x00"
			}
		}
		if err := q.Configure(ctx, bad); err != nil {
			faults = append(faults, look("the error of Configure", err.Error()))
		}
	}
	if q, ok := p.(webconferencing.PolicySource); ok {
		faults = append(faults, look("ClientPolicy", q.ClientPolicy()))
	}
	return errors.Join(faults...)
}
