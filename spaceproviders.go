package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ParentSource is a [Directory] whose groups have parents, from which they
// inherit the choice of providers.
type ParentSource interface {
	// Parent returns the group above, or [ErrNotFound] at the top.
	Parent(ctx context.Context, group Ref) (Ref, error)
}

const maxParents = 16

func choiceKey(ref Ref) string {
	return choicePrefix + string(ref.Type) + "/" + ref.ID
}

// everyPlace tells whether a place is the zero Ref, which stands for the whole
// portal: users, and every group without a choice of its own.
func everyPlace(ref Ref) bool { return ref == Ref{} }

const choicePrefix = "provider-choice/"

// ProviderChoice says which providers new calls of a place may use.
type ProviderChoice struct {
	// Providers can be used there: switched on, chosen, able to carry calls of
	// this kind. In the order of the choice, or in that of
	// [Options].Providers if there is none.
	Providers []ProviderConfig
	// Own is the choice of the place itself; nil if it has none.
	Own []string
	// From is where the choice comes from; the zero Ref is the portal's.
	From Ref
	// Limited tells that there is a choice at all.
	Limited bool
}

// chosen is the choice of providers that holds for a place.
type chosen struct {
	limited bool
	types   []string
	from    Ref
}

func (c chosen) has(e *entry) bool {
	return slices.ContainsFunc(c.types, e.supports)
}

// choice reads what was chosen for a place itself.
func (r *Registry) choice(ctx context.Context, ref Ref) ([]string, bool, error) {
	v, err := r.service.store.Value(ctx, choiceKey(ref))
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	types := []string{}
	if err := json.Unmarshal(v.Data, &types); err != nil {
		return nil, false, fmt.Errorf("decode choice of providers: %w", err)
	}
	return types, true, nil
}

// chosenFor finds the choice that holds for an owner of calls: its own, that of
// the nearest group above, or the portal's.
func (r *Registry) chosenFor(ctx context.Context, owner Ref) (chosen, error) {
	some := false
	for _, err := range r.service.store.Values(ctx, ValueQuery{Prefix: choicePrefix, Limit: 1}) {
		if err != nil {
			return chosen{}, err
		}
		some = true
	}
	if !some {
		return chosen{}, nil
	}
	place, err := r.place(ctx, owner)
	if err != nil {
		return chosen{}, err
	}
	for range maxParents {
		types, ok, err := r.choice(ctx, place)
		if err != nil || ok {
			return chosen{limited: ok, types: types, from: place}, err
		}
		if everyPlace(place) {
			return chosen{}, nil
		}
		if place, err = r.parent(ctx, place); err != nil {
			return chosen{}, err
		}
	}
	return chosen{}, errors.New("groups have each other for parents, or too many")
}

// place is the group whose choice an owner of calls has; users and groups that
// the directory does not know have the portal's. A space event is held in its
// space, and a space may be named in several ways.
func (r *Registry) place(ctx context.Context, owner Ref) (Ref, error) {
	if !owner.Type.IsGroup() || everyPlace(owner) {
		return Ref{}, nil
	}
	if owner.Type == OwnerSpaceEvent {
		owner.Type = OwnerSpace
	}
	g, err := r.service.group(ctx, owner)
	if errors.Is(err, ErrNotFound) {
		return Ref{}, nil
	}
	if err != nil {
		return Ref{}, err
	}
	return Ref{Type: owner.Type, ID: g.Ref.ID}, nil
}

func (r *Registry) parent(ctx context.Context, ref Ref) (Ref, error) {
	p, ok := r.service.directory.(ParentSource)
	if !ok {
		return Ref{}, nil
	}
	up, err := callback(ctx, r.service, "directory", func(ctx context.Context) (Ref, error) { return p.Parent(ctx, ref) })
	if errors.Is(err, ErrNotFound) || err == nil && !up.Type.IsGroup() {
		return Ref{}, nil
	}
	return up, err
}

// ProvidersFor returns which providers new calls of a place may use, to its
// members, its managers and administrators. The zero Ref and users stand for
// the portal, which anybody signed in may ask about.
func (r *Registry) ProvidersFor(ctx context.Context, by Actor, ref Ref, lang string) (ProviderChoice, error) {
	const op = "get choice of providers"
	place, err := r.mayKnow(ctx, by, ref)
	if err != nil {
		return ProviderChoice{}, r.service.wrap(ctx, by, op, err)
	}
	own, has, err := r.choice(ctx, place)
	if err != nil {
		return ProviderChoice{}, r.service.wrap(ctx, by, op, err)
	}
	hold, err := r.chosenFor(ctx, ref)
	if err != nil {
		return ProviderChoice{}, r.service.wrap(ctx, by, op, err)
	}
	choice := ProviderChoice{Providers: []ProviderConfig{}, From: hold.from, Limited: hold.limited}
	if has {
		choice.Own = own
	}
	for _, e := range r.inOrder(hold) {
		active, _, err := r.active(ctx, e)
		if err != nil {
			return ProviderChoice{}, r.service.wrap(ctx, by, op, err)
		}
		if active && e.carries(ref) {
			choice.Providers = append(choice.Providers, e.config(true, lang))
		}
	}
	return choice, nil
}

// carries tells whether the provider has calls of an owner's kind; any kind
// will do for the whole portal.
func (e *entry) carries(owner Ref) bool {
	switch {
	case everyPlace(owner):
		return true
	case owner.Type.IsGroup():
		return e.info.Groups
	}
	return !e.info.GroupsOnly
}

// inOrder returns the entries of a choice, or all.
func (r *Registry) inOrder(c chosen) []*entry {
	if !c.limited {
		return r.entries
	}
	var list []*entry
	for _, typ := range c.types {
		if e := r.byType[typ]; e != nil && !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	return list
}

// mayKnow checks that somebody may see a place, and returns it.
func (r *Registry) mayKnow(ctx context.Context, by Actor, ref Ref) (Ref, error) {
	if err := validActor(by, false); err != nil {
		return Ref{}, err
	}
	if everyPlace(ref) || ref.Type == OwnerUser {
		return Ref{}, nil
	}
	if err := checkOwner(ref); err != nil {
		return Ref{}, err
	}
	place, err := r.place(ctx, ref)
	if err != nil {
		return Ref{}, err
	}
	gone := &Error{Code: CodeNotFound, Message: "group not found", Err: ErrNotFound}
	if everyPlace(place) {
		return Ref{}, gone
	}
	if by.Admin {
		return place, nil
	}
	member, err := r.service.isMember(ctx, by.User, place)
	if err != nil || member {
		return place, err
	}
	manages, err := r.service.isManager(ctx, by.User, place)
	if err == nil && !manages {
		err = gone
	}
	return place, err
}

// SetSpaceProviders chooses which providers new calls of a group may use, for
// administrators and managers of the group; the zero Ref chooses for the whole
// portal, for administrators. Nil takes the choice back, so that the group
// inherits again; an empty list allows none. The types must be known. Calls
// that run go on.
func (r *Registry) SetSpaceProviders(ctx context.Context, by Actor, ref Ref, types []string) error {
	const op = "choose providers"
	place, err := r.mayKnow(ctx, by, ref)
	if err != nil {
		return r.service.wrap(ctx, by, op, err)
	}
	if ref.Type == OwnerUser {
		return r.service.wrap(ctx, by, op, invalid("owner", "is not a group"))
	}
	if err := r.mayChoose(ctx, by, place); err != nil {
		return r.service.wrap(ctx, by, op, err)
	}
	if len(types) > len(r.byType) {
		return r.service.wrap(ctx, by, op, invalid("providers", "has more than %d", len(r.byType)))
	}
	for _, typ := range types {
		if r.byType[typ] == nil {
			return r.service.wrap(ctx, by, op, &Error{Code: CodeInvalid, Field: "providers", Reason: ReasonUnknownProvider, Message: "one of the providers is not known"})
		}
	}
	change := ValueChange{Key: choiceKey(place), Expect: AnyRevision}
	if types != nil {
		if change.Data, err = json.Marshal(types); err != nil {
			return r.service.wrap(ctx, by, op, err)
		}
	}
	if _, err := r.service.store.Commit(ctx, &Change{Values: []ValueChange{change}}); err != nil {
		return r.service.wrap(ctx, by, op, err)
	}
	r.service.logger.InfoContext(ctx, "providers chosen", "type", place.Type, "place", place.ID, "providers", types, "user", by.User)
	return nil
}

func (r *Registry) mayChoose(ctx context.Context, by Actor, place Ref) error {
	if by.Admin {
		return nil
	}
	if !everyPlace(place) {
		manages, err := r.service.isManager(ctx, by.User, place)
		if err != nil || manages {
			return err
		}
	}
	return denied("only managers and administrators may do this")
}
