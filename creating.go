package webconferencing

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"time"
)

// createRetries is how often a create command starts over because the group
// got another call meanwhile.
const createRetries = 10

// minRing is the shortest ring that a call can ask for.
const minRing = 5 * time.Second

// NewCall describes a call to be created.
type NewCall struct {
	ID       CallID
	Owner    Ref
	Provider string // a type that a provider supports
	Title    string
	// Participants are the people the call is for. For a space or room its
	// members are added; between users the acting user is.
	Participants []UserID
	// Spaces are further spaces whose members take part.
	Spaces []string
	// Start starts the call at once and rings everybody else.
	Start bool
	// RingFor is how long people are rung, 5 s to [Options].MaxRingTimeout.
	// Defaults to [Options].RingTimeout.
	RingFor time.Duration
	// ScheduledStart and ScheduledEnd are when the call is planned; zero if
	// it is not.
	ScheduledStart, ScheduledEnd time.Time
}

// CreateCall makes a call. A call between users that nobody is in makes room
// for a new one with its id; a group's call under another id does too, except
// for space events, which may have several. Otherwise the error has
// [CodeConflict] with [ReasonCallConflict].
func (s *Service) CreateCall(ctx context.Context, by Actor, n NewCall) (*Call, error) {
	const op = "create call"
	if err := s.checkNewCall(by, &n); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	once, err := newOnce(by, op, n.ID, n)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if done, err := s.carriedOut(ctx, once, nil); done || err != nil {
		if err == nil {
			var c *Call
			if c, err = s.store.Call(ctx, n.ID); err == nil {
				return c, nil
			}
		}
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := s.beforeCreate(ctx, by, op, &n); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	for range createRetries {
		cmd, err := s.newCreateCommand(ctx, by, &n)
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		if err := s.makeRoom(ctx, cmd.access, cmd.owner, n.ID); err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		c, err := s.submitOnce(ctx, n.ID, cmd, once)
		if errors.Is(err, errClaimed) {
			continue
		}
		return c, s.wrap(ctx, by, op, err)
	}
	return nil, s.wrap(ctx, by, op, conflict(ReasonCallConflict, "the group is in another call"))
}

// beforeCreate lets the host's hook refuse the call or change what it may.
func (s *Service) beforeCreate(ctx context.Context, by Actor, op string, n *NewCall) error {
	if s.opts.Before == nil {
		return nil
	}
	// The hook has a copy: it may go on with it after its time is over.
	theirs := *n
	theirs.Participants, theirs.Spaces = slices.Clone(n.Participants), slices.Clone(n.Spaces)
	if err := s.before(ctx, &Proposal{Op: op, By: by, ID: n.ID, New: &theirs}); err != nil {
		return err
	}
	n.Title, n.Participants, n.Spaces = theirs.Title, theirs.Participants, theirs.Spaces
	n.ScheduledStart, n.ScheduledEnd = theirs.ScheduledStart, theirs.ScheduledEnd
	return s.checkNewCall(by, n)
}

func (s *Service) checkNewCall(by Actor, n *NewCall) error {
	if err := validActor(by, false); err != nil {
		return err
	}
	if err := checkCallID(n.ID); err != nil {
		return err
	}
	if err := checkOwner(n.Owner); err != nil {
		return err
	}
	if err := checkText("title", n.Title, 0, maxTitle); err != nil {
		return err
	}
	if n.RingFor != 0 && (n.RingFor < minRing || n.RingFor > s.opts.MaxRingTimeout) {
		return invalid("ringFor", "is not between %v and %v", minRing, s.opts.MaxRingTimeout)
	}
	if !n.ScheduledEnd.IsZero() && n.ScheduledEnd.Before(n.ScheduledStart) {
		return invalid("endDate", "is before startDate")
	}
	return nil
}

func (s *Service) newCreateCommand(ctx context.Context, by Actor, n *NewCall) (*createCommand, error) {
	provider, err := s.registry.usable(ctx, n.Provider, n.Owner)
	if err != nil {
		return nil, err
	}
	owner, acc, group, err := s.ownerAccess(ctx, by, n.Owner)
	if err != nil {
		return nil, err
	}
	parts, err := s.resolveParticipants(ctx, group, n.Participants, n.Spaces)
	if err != nil {
		return nil, err
	}
	if !owner.Type.IsGroup() {
		if !slices.ContainsFunc(parts, func(p Participant) bool { return p.ID == by.User }) {
			parts = append([]Participant{{ID: by.User, Kind: KindUser}}, parts...)
		}
		if !slices.ContainsFunc(parts, func(p Participant) bool { return string(p.ID) == owner.ID }) {
			return nil, invalid("owner", "is not among the participants")
		}
		if len(parts) < 2 {
			return nil, invalid("participants", "has nobody to call")
		}
	}
	if len(parts) > s.limits.maxParticipants {
		return nil, tooManyParticipants(s.limits.maxParticipants)
	}
	var asked *rung
	if n.Start {
		asked = s.askBeforeRinging(ctx, n.ID, others(parts, by.User))
	}
	return &createCommand{
		rung: asked, access: acc, id: n.ID, owner: owner, provider: provider, title: n.Title,
		participants: parts, origins: origins(n.Participants, n.Spaces), start: n.Start, ringFor: n.RingFor,
		from: stored(n.ScheduledStart), to: stored(n.ScheduledEnd), inviteID: newSecret(),
	}, nil
}

// others are the users who would be rung.
func others(parts []Participant, starter UserID) []UserID {
	var ids []UserID
	for _, p := range parts {
		if p.Kind == KindUser && p.ID != starter {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// ownerAccess resolves the owner of a call to be and checks that by may make
// calls for it.
func (s *Service) ownerAccess(ctx context.Context, by Actor, owner Ref) (Ref, access, *Group, error) {
	acc := access{by: by, owner: owner}
	if !owner.Type.IsGroup() {
		return owner, acc, nil, nil
	}
	group, err := s.group(ctx, owner)
	if errors.Is(err, ErrNotFound) {
		return owner, acc, nil, &Error{Code: CodeNotFound, Field: "owner", Message: "owner not found", Err: err}
	}
	if err != nil {
		return owner, acc, nil, err
	}
	owner.ID = group.Ref.ID
	acc.owner, acc.member = owner, group.HasMember(by.User)
	if !acc.member {
		return owner, acc, nil, denied("only members of the group may do this")
	}
	return owner, acc, group, nil
}

// makeRoom removes the call that the group has under another id, if nobody is
// inside.
func (s *Service) makeRoom(ctx context.Context, acc access, owner Ref, id CallID) error {
	if !owner.Type.IsGroup() || owner.Type == OwnerSpaceEvent {
		return nil
	}
	v, err := s.store.Value(ctx, groupClaim(owner))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	old := CallID(v.Data)
	if old == id {
		return nil
	}
	_, err = s.submit(ctx, old, &replaceCommand{access: acc})
	return err
}

// origins records whom a call was made for.
func origins(users []UserID, spaces []string) []Ref {
	refs := make([]Ref, 0, len(users)+len(spaces))
	for _, id := range users {
		refs = append(refs, Ref{Type: OwnerUser, ID: string(id)})
	}
	for _, id := range spaces {
		refs = append(refs, Ref{Type: OwnerSpace, ID: id})
	}
	return refs
}

// stored is a time as the store keeps it.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC().Truncate(time.Millisecond)
}

// newSecret returns 130 random bits as 26 lower-case letters and digits.
func newSecret() string {
	return strings.ToLower(rand.Text())
}

// newSeatID returns 128 random bits.
func newSeatID() SeatID {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return SeatID(strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)))
}
