package webconferencing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// entry is a provider with its capabilities, looked up once. A capability that
// the provider lacks is nil.
type entry struct {
	provider Provider
	info     ProviderInfo

	joiner       Joiner
	settings     ClientConfigurer
	preparer     Preparer
	updater      Updater
	ender        Ender
	moderator    Moderator
	prober       Prober
	webhook      WebhookReceiver
	checker      Checker
	observer     CallObserver
	recorder     Recorder
	availability AvailabilitySource
	telephone    Telephone
	connector    AccountConnector
	parser       URLParser
	panel        InfoPanel
	typer        AccountTyper
	policy       PolicySource
	configurable Configurable

	// What the provider said when it was asked once, by New.
	schema   []Setting
	features []string

	// The settings that the provider was given last on this node.
	configuring turn
	configured  atomic.Bool
	revision    uint64

	diagnosing turn
	diagnosed  time.Time
	diagnosis  Diagnosis
}

// turn lets one at a time do something that may take long.
type turn chan struct{}

// take waits for the turn, which give returns.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

func newEntry(p Provider) *entry {
	e := &entry{provider: p, info: p.Info(), configuring: make(turn, 1), diagnosing: make(turn, 1)}
	e.joiner, _ = p.(Joiner)
	e.settings, _ = p.(ClientConfigurer)
	e.preparer, _ = p.(Preparer)
	e.updater, _ = p.(Updater)
	e.ender, _ = p.(Ender)
	e.moderator, _ = p.(Moderator)
	e.prober, _ = p.(Prober)
	e.webhook, _ = p.(WebhookReceiver)
	e.checker, _ = p.(Checker)
	e.observer, _ = p.(CallObserver)
	e.recorder, _ = p.(Recorder)
	e.availability, _ = p.(AvailabilitySource)
	e.telephone, _ = p.(Telephone)
	e.connector, _ = p.(AccountConnector)
	e.parser, _ = p.(URLParser)
	e.panel, _ = p.(InfoPanel)
	e.typer, _ = p.(AccountTyper)
	e.policy, _ = p.(PolicySource)
	e.configurable, _ = p.(Configurable)
	if e.configurable != nil {
		e.schema = slices.Clone(e.configurable.Settings())
	}
	e.features = e.listFeatures()
	return e
}

// check reports what makes no sense in the provider at place i.
func (e *entry) check(i int) error {
	var faults []error
	if e.info.MaxParties < 0 || e.info.MaxParties == 1 {
		faults = append(faults, fmt.Errorf("Options.Providers[%d] (%q): MaxParties is %d, must be 0 or at least 2", i, e.info.Type, e.info.MaxParties))
	}
	if e.info.GroupsOnly && !e.info.Groups {
		faults = append(faults, fmt.Errorf("Options.Providers[%d] (%q): GroupsOnly without Groups leaves no calls", i, e.info.Type))
	}
	if e.configurable != nil {
		if err := checkSchema(e.schema); err != nil {
			faults = append(faults, fmt.Errorf("Options.Providers[%d] (%q): %w", i, e.info.Type, err))
		}
	}
	return errors.Join(faults...)
}

// ProviderFeatures are the words in [ProviderConfig].Features that stand for
// capabilities. A provider's browser module adds its own, see [ClientPolicy].
const (
	FeatureModeration = "moderation"
	FeatureRecording  = "recording"
	FeaturePhone      = "phone"
	FeatureInfo       = "info"
	FeatureAccount    = "account" // users can connect their own
)

func (e *entry) listFeatures() []string {
	features := []string{}
	if e.policy != nil {
		features = append(features, e.policy.ClientPolicy().Features...)
	}
	for word, has := range map[string]bool{
		FeatureModeration: e.moderator != nil, FeatureRecording: e.recorder != nil, FeaturePhone: e.telephone != nil,
		FeatureInfo: e.panel != nil, FeatureAccount: e.connector != nil,
	} {
		if has {
			features = append(features, word)
		}
	}
	slices.Sort(features)
	return slices.Compact(features)
}

// supports tells whether the provider carries calls of a type.
func (e *entry) supports(typ string) bool { return slices.Contains(e.info.SupportedTypes, typ) }

// keepsMeetings tells whether runs of the provider's calls are remembered.
func (e *entry) keepsMeetings() bool { return e.preparer != nil || e.updater != nil || e.ender != nil }

// works tells whether the provider has something to do without being asked.
func (e *entry) works() bool {
	return e.updater != nil || e.ender != nil || e.observer != nil || e.prober != nil
}

// ask calls a provider within the limits of a callback. Stored settings are
// applied first.
func ask[T any](ctx context.Context, r *Registry, e *entry, call func(context.Context) (T, error)) (T, error) {
	if err := r.configureOnce(ctx, e); err != nil {
		var zero T
		return zero, err
	}
	return callback(ctx, r.service, "provider "+e.info.Type, call)
}

// tell is ask for what has no result.
func tell(ctx context.Context, r *Registry, e *entry, call func(context.Context) error) error {
	_, err := ask(ctx, r, e, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// find returns a provider by one of its types.
func (r *Registry) find(typ string) (*entry, error) {
	if e := r.byType[typ]; e != nil {
		return e, nil
	}
	return nil, &Error{Code: CodeNotFound, Message: "provider not found", Err: ErrNotFound}
}

// cannot is the error of asking for a capability that the provider lacks.
func cannot(what string) error {
	return &Error{Code: CodeUnsupported, Reason: ReasonNotGroup, Message: "the provider can't " + what}
}

// maxParties are the limits of the providers that have one, by type.
func (r *Registry) maxParties() map[string]int {
	most := make(map[string]int)
	for typ, e := range r.byType {
		if e.info.MaxParties > 0 {
			most[typ] = e.info.MaxParties
		}
	}
	return most
}
