package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// What an administrator may change of a provider is one value for each
// provider. Every node reads it before it first uses the provider and looks at
// its revision from then on.

// unknownRevision makes a node read the stored settings again.
const unknownRevision = ^uint64(0)

func settingsKey(typ string) string { return "provider-settings/" + typ }

// SettingValue is a [Setting] with its present value.
type SettingValue struct {
	Setting
	// Value is what holds, the default included; always "" for a secret.
	Value string
	// Set tells that a value was stored, which says that a secret is there.
	Set bool
}

// ProviderSettings are a provider's settings as an administrator sees them.
type ProviderSettings struct {
	// Revision names the present values, see [Registry.Configure].
	Revision uint64
	Settings []SettingValue
}

// storedSettings reads the values that were set and their revision.
func (r *Registry) storedSettings(ctx context.Context, e *entry) (map[string]string, uint64, error) {
	values := make(map[string]string)
	v, err := r.service.store.Value(ctx, settingsKey(e.info.Type))
	if errors.Is(err, ErrNotFound) {
		return values, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if json.Unmarshal(v.Data, &values) != nil { // its error could show a secret
		return nil, 0, errors.New("decode provider settings: not a JSON object of strings")
	}
	return values, v.Revision, nil
}

// complete fills the defaults in.
func complete(schema []Setting, stored map[string]string) map[string]string {
	values := make(map[string]string, len(schema))
	for _, set := range schema {
		values[set.Key] = set.Default
		if v, ok := stored[set.Key]; ok {
			values[set.Key] = v
		}
	}
	return values
}

// configurableEntry finds a provider that has settings, for an administrator.
func (r *Registry) configurableEntry(by Actor, typ string) (*entry, error) {
	if !by.Admin {
		return nil, denied("only administrators may do this")
	}
	e, err := r.find(typ)
	if err == nil && e.configurable == nil {
		return nil, cannot("be configured")
	}
	return e, err
}

// Settings returns a provider's settings for administrators. Secrets are never
// part of it, only whether they are set.
func (r *Registry) Settings(ctx context.Context, by Actor, typ string) (ProviderSettings, error) {
	const op = "get provider settings"
	e, err := r.configurableEntry(by, typ)
	if err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	stored, revision, err := r.storedSettings(ctx, e)
	if err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	return showSettings(e.schema, stored, revision), nil
}

func showSettings(schema []Setting, stored map[string]string, revision uint64) ProviderSettings {
	shown := ProviderSettings{Revision: revision, Settings: make([]SettingValue, 0, len(schema))}
	values := complete(schema, stored)
	for _, set := range schema {
		_, has := stored[set.Key]
		v := SettingValue{Setting: set, Value: values[set.Key], Set: has}
		if set.Type == SettingSecret {
			v.Value = ""
		}
		v.Choices = slices.Clone(set.Choices)
		shown.Settings = append(shown.Settings, v)
	}
	return shown
}

// SettingChange is what [Registry.Configure] is to do.
type SettingChange struct {
	// Values by key; nil goes back to the default. Keys that are left out
	// stay as they are.
	Values map[string]*string
	// IfRevision makes the change only if the settings are still those of
	// [ProviderSettings].Revision. Defaults to whatever they are.
	IfRevision *uint64
}

// Configure changes a provider's settings, for administrators. The values are
// checked against the schema and then by the provider; if they are refused
// nothing changes, and the error's Field names the first key at fault. All
// nodes take them on within [Options].PollInterval. Who changed which keys is
// kept, see [Registry.Changes].
func (r *Registry) Configure(ctx context.Context, by Actor, typ string, change SettingChange) (ProviderSettings, error) {
	const op = "configure provider"
	e, err := r.configurableEntry(by, typ)
	if err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	if err := e.configuring.take(ctx); err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	defer e.configuring.give()
	schema := e.schema
	before, revision, err := r.storedSettings(ctx, e)
	if err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	if change.IfRevision != nil && *change.IfRevision != revision {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, conflict(ReasonVersion, "the settings were changed by somebody else meanwhile"))
	}
	after, err := changeSettings(schema, before, change.Values)
	if err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	if err := r.hand(ctx, e, complete(schema, after)); err != nil {
		return ProviderSettings{}, r.service.wrap(ctx, by, op, settingsRefused(err))
	}
	err = r.keepSettings(ctx, e, by, change.Values, after, revision)
	if err == nil {
		after, revision, err = r.storedSettings(ctx, e)
	}
	if err != nil {
		// What holds is what is stored; this node takes it on again.
		e.revision = unknownRevision
		if back := r.hand(context.WithoutCancel(ctx), e, complete(schema, before)); back != nil {
			r.service.logger.ErrorContext(ctx, "provider does not take its former settings", "provider", e.info.Type, "error", settingsRefused(back))
		}
		return ProviderSettings{}, r.service.wrap(ctx, by, op, err)
	}
	e.revision = revision
	e.configured.Store(true)
	return showSettings(schema, after, revision), nil
}

// hand gives values to the provider.
func (r *Registry) hand(ctx context.Context, e *entry, values map[string]string) error {
	_, err := callback(ctx, r.service, "provider "+e.info.Type, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, e.configurable.Configure(ctx, values)
	})
	return err
}

// settingsRefused is the answer when a provider does not take values on. What
// it says may hold them, so only authored texts go further.
func settingsRefused(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return &Error{Code: own.Code, Field: own.Field, Reason: own.Reason, Message: own.Message}
	}
	return &Error{Code: CodeInvalid, Message: "the provider does not accept these settings"}
}

// changeSettings returns the stored values after a change.
func changeSettings(schema []Setting, stored map[string]string, change map[string]*string) (map[string]string, error) {
	after := maps.Clone(stored)
	faults := make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(change)) {
		i := slices.IndexFunc(schema, func(set Setting) bool { return set.Key == key })
		value := change[key]
		switch {
		case i < 0:
			faults[key] = "is not a setting of this provider"
		case value == nil:
			delete(after, key)
		case *value == "":
			after[key] = ""
		default:
			if err := schema[i].check(*value); err != nil {
				faults[key] = err.Error()
			}
			after[key] = *value
		}
	}
	for key, value := range complete(schema, after) {
		i := slices.IndexFunc(schema, func(set Setting) bool { return set.Key == key })
		if schema[i].Required && value == "" && faults[key] == "" {
			faults[key] = "is required"
		}
	}
	if len(faults) == 0 {
		return after, nil
	}
	keys := slices.Sorted(maps.Keys(faults))
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = key + " " + faults[key]
	}
	return nil, &Error{Code: CodeInvalid, Field: keys[0], Message: strings.Join(texts, "; ")}
}

func (r *Registry) keepSettings(ctx context.Context, e *entry, by Actor, changed map[string]*string, after map[string]string, expect uint64) error {
	data, err := json.Marshal(after)
	if err != nil {
		return errors.New("encode provider settings")
	}
	keys := slices.Sorted(maps.Keys(changed))
	note, err := r.changeNote(e, ProviderChange{User: by.User, Keys: keys})
	if err != nil {
		return err
	}
	_, err = r.service.store.Commit(ctx, &Change{Values: []ValueChange{{Key: settingsKey(e.info.Type), Expect: expect, Data: data}, note}})
	if err == nil {
		r.service.logger.InfoContext(ctx, "provider configured", "provider", e.info.Type, "user", by.User, "keys", keys)
	}
	return err
}

// configureOnce hands the stored settings to a provider that this node has not
// used before.
func (r *Registry) configureOnce(ctx context.Context, e *entry) error {
	if e.configurable == nil || e.configured.Load() {
		return nil
	}
	if err := e.configuring.take(ctx); err != nil {
		return err
	}
	defer e.configuring.give()
	if e.configured.Load() {
		return nil
	}
	return r.takeOn(ctx, e)
}

// takeOn hands over the stored settings if they are not those that the
// provider has; the turn to configure is taken.
func (r *Registry) takeOn(ctx context.Context, e *entry) error {
	stored, revision, err := r.storedSettings(ctx, e)
	if err != nil {
		return err
	}
	if e.configured.Load() && revision == e.revision {
		return nil
	}
	if revision != 0 {
		if err := r.hand(ctx, e, complete(e.schema, stored)); err != nil {
			return fmt.Errorf("the stored settings are not accepted: %w", settingsRefused(err))
		}
	}
	e.revision = revision
	e.configured.Store(true)
	return nil
}

// followSettings takes on what other nodes stored, until ctx ends.
func (r *Registry) followSettings(ctx context.Context) {
	ticker := time.NewTicker(r.service.opts.PollInterval)
	defer ticker.Stop()
	failing := make(map[*entry]bool)
	for {
		for _, e := range r.entries {
			if e.configurable == nil {
				continue
			}
			if e.configuring.take(ctx) != nil {
				return
			}
			err := r.takeOn(ctx, e)
			e.configuring.give()
			if err != nil && !failing[e] && ctx.Err() == nil {
				r.service.logger.ErrorContext(ctx, "provider keeps its old settings", "provider", e.info.Type, "error", err)
			}
			failing[e] = err != nil
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
