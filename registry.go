package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/singleflight"
)

// Registry holds the providers of a [Service] and whether they are switched
// on. Which providers there are is fixed; switches, settings and the choice for
// each space are in the store, so all nodes see them.
type Registry struct {
	service  *Service
	entries  []*entry
	byType   map[string]*entry // by every supported type
	accounts map[string]accountType
	meetings singleflight.Group
}

// ProviderConfig is what administrators and clients are told of a provider.
type ProviderConfig struct {
	Type           string
	SupportedTypes []string
	Title          string
	Description    string // in the language asked for
	Version        string
	Groups         bool
	OneToOne       bool
	MaxParties     int // people in one call; 0 for the service's own limit
	Active         bool
	LogEnabled     bool
	// Features are what a call button may offer: the provider's own words,
	// and those of its capabilities, see [ProviderFeatures].
	Features []string
}

// providerSwitch is the stored part of a provider's configuration.
type providerSwitch struct {
	Active bool `json:"active"`
}

func newRegistry(providers []Provider) (*Registry, error) {
	r := &Registry{byType: make(map[string]*entry), accounts: make(map[string]accountType)}
	var faults []error
	for i, p := range providers {
		if p == nil {
			faults = append(faults, fmt.Errorf("Options.Providers[%d] is nil", i))
			continue
		}
		e := newEntry(p)
		faults = append(faults, e.check(i), r.addAccountTypes(i, e))
		if e.info.Title == "" {
			faults = append(faults, fmt.Errorf("Options.Providers[%d] (%q) has no title", i, e.info.Type))
		}
		if !slices.Contains(e.info.SupportedTypes, e.info.Type) {
			e.info.SupportedTypes = append([]string{e.info.Type}, e.info.SupportedTypes...)
		}
		for _, t := range e.info.SupportedTypes {
			switch {
			case !ValidProviderType(t):
				faults = append(faults, fmt.Errorf("Options.Providers[%d]: type %q is not 1 to %d lower-case letters, digits and _", i, t, maxWord))
			case r.byType[t] != nil:
				faults = append(faults, fmt.Errorf("Options.Providers[%d]: type %q is taken by another provider", i, t))
			default:
				r.byType[t] = e
			}
		}
		r.entries = append(r.entries, e)
	}
	return r, errors.Join(faults...)
}

// Lookup returns the provider that supports a type.
func (r *Registry) Lookup(typ string) (Provider, bool) {
	e := r.byType[typ]
	if e == nil {
		return nil, false
	}
	return e.provider, true
}

// Config returns the configuration of a provider by its type, with the
// description in the language nearest to lang (a BCP 47 tag; "" is English).
func (r *Registry) Config(ctx context.Context, typ, lang string) (ProviderConfig, error) {
	const op = "get provider"
	e := r.byType[typ]
	if e == nil {
		return ProviderConfig{}, r.service.wrap(ctx, Actor{}, op, &Error{Code: CodeNotFound, Message: "provider not found", Err: ErrNotFound})
	}
	active, _, err := r.active(ctx, e)
	if err != nil {
		return ProviderConfig{}, r.service.wrap(ctx, Actor{}, op, err)
	}
	return e.config(active, lang), nil
}

// Configs returns the configurations of all providers, in the order in which
// the host gave them.
func (r *Registry) Configs(ctx context.Context, lang string) ([]ProviderConfig, error) {
	list := make([]ProviderConfig, 0, len(r.entries))
	for _, e := range r.entries {
		c, err := r.Config(ctx, e.info.Type, lang)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func (e *entry) config(active bool, lang string) ProviderConfig {
	return ProviderConfig{
		Type: e.info.Type, SupportedTypes: slices.Clone(e.info.SupportedTypes), Title: e.info.Title,
		Description: e.describe(lang), Version: e.info.Version, Groups: e.info.Groups,
		OneToOne: !e.info.GroupsOnly, MaxParties: e.info.MaxParties,
		Active: active, LogEnabled: !e.info.NoLog, Features: slices.Clone(e.features),
	}
}

func (e *entry) describe(lang string) string {
	lang = strings.ReplaceAll(lang, "_", "-")
	for tag := lang; tag != ""; {
		if d, ok := e.info.Descriptions[tag]; ok {
			return d
		}
		cut := strings.LastIndexByte(tag, '-')
		tag = tag[:max(cut, 0)]
	}
	if d, ok := e.info.Descriptions["en"]; ok {
		return d
	}
	return e.info.Descriptions[""]
}

func switchKey(typ string) string { return "provider/" + typ }

// active reads a provider's switch and the revision of the stored value.
func (r *Registry) active(ctx context.Context, e *entry) (bool, uint64, error) {
	v, err := r.service.store.Value(ctx, switchKey(e.info.Type))
	if errors.Is(err, ErrNotFound) {
		return !e.info.Inactive, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	var sw providerSwitch
	if err := json.Unmarshal(v.Data, &sw); err != nil {
		return false, v.Revision, fmt.Errorf("decode provider switch: %w", err)
	}
	return sw.Active, v.Revision, nil
}

// SetActive switches a provider on or off, for administrators. Calls that run
// go on; new ones can't use a provider that is off.
func (r *Registry) SetActive(ctx context.Context, by Actor, typ string, active bool) (ProviderConfig, error) {
	const op = "switch provider"
	if !by.Admin {
		return ProviderConfig{}, r.service.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	e := r.byType[typ]
	if e == nil {
		return ProviderConfig{}, r.service.wrap(ctx, by, op, &Error{Code: CodeNotFound, Message: "provider not found", Err: ErrNotFound})
	}
	data, err := json.Marshal(providerSwitch{Active: active})
	if err != nil {
		return ProviderConfig{}, r.service.wrap(ctx, by, op, err)
	}
	noted, err := r.changeNote(e, ProviderChange{User: by.User, Active: &active})
	if err != nil {
		return ProviderConfig{}, r.service.wrap(ctx, by, op, err)
	}
	change := &Change{Values: []ValueChange{{Key: switchKey(e.info.Type), Expect: AnyRevision, Data: data}, noted}}
	if _, err := r.service.store.Commit(ctx, change); err != nil {
		return ProviderConfig{}, r.service.wrap(ctx, by, op, err)
	}
	r.service.logger.InfoContext(ctx, "provider switched", "provider", e.info.Type, "active", active, "user", by.User)
	return e.config(active, ""), nil
}

// usable returns the type under which a new call of an owner may use a
// provider.
func (r *Registry) usable(ctx context.Context, typ string, owner Ref) (string, error) {
	if typ == "" {
		return "", invalid("provider", "is missing")
	}
	e := r.byType[typ]
	if e == nil {
		return "", &Error{Code: CodeInvalid, Field: "provider", Reason: ReasonUnknownProvider, Message: "provider is not known"}
	}
	active, _, err := r.active(ctx, e)
	switch {
	case err != nil:
		return "", err
	case !active:
		return "", &Error{Code: CodeInvalid, Field: "provider", Reason: ReasonInactive, Message: "provider is switched off"}
	case owner.Type.IsGroup() && !e.info.Groups:
		return "", &Error{Code: CodeUnsupported, Field: "provider", Reason: ReasonNotGroup, Message: "provider has no group calls"}
	case !owner.Type.IsGroup() && e.info.GroupsOnly:
		return "", &Error{Code: CodeUnsupported, Field: "provider", Reason: ReasonNotGroup, Message: "provider has no calls between two"}
	}
	chosen, err := r.chosenFor(ctx, owner)
	if err != nil {
		return "", err
	}
	if chosen.limited && !chosen.has(e) {
		return "", &Error{Code: CodeInvalid, Field: "provider", Reason: ReasonInactive, Message: "provider is not offered here"}
	}
	return typ, nil
}

// ClientSettings returns what a provider's browser module needs for the acting
// user; nil if it needs nothing.
func (r *Registry) ClientSettings(ctx context.Context, by Actor, typ string) (map[string]any, error) {
	const op = "get provider settings"
	if err := validActor(by, false); err != nil {
		return nil, r.service.wrap(ctx, by, op, err)
	}
	e := r.byType[typ]
	if e == nil {
		return nil, r.service.wrap(ctx, by, op, &Error{Code: CodeNotFound, Message: "provider not found", Err: ErrNotFound})
	}
	if e.settings == nil {
		return nil, nil
	}
	m, err := ask(ctx, r, e, func(ctx context.Context) (map[string]any, error) {
		return e.settings.ClientSettings(ctx, by)
	})
	return m, r.service.wrap(ctx, by, op, err)
}
