package webconferencing

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// createRetries is how often a create command starts over because the group
// got another call meanwhile.
const createRetries = 10

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
		return nil, wrap(op, err)
	}
	for range createRetries {
		cmd, err := s.newCreateCommand(ctx, by, &n)
		if err != nil {
			return nil, wrap(op, err)
		}
		if err := s.makeRoom(ctx, cmd.access, cmd.owner, n.ID); err != nil {
			return nil, wrap(op, err)
		}
		c, err := s.submit(ctx, n.ID, cmd)
		if errors.Is(err, errClaimed) {
			continue
		}
		return c, wrap(op, err)
	}
	return nil, wrap(op, conflict(ReasonCallConflict, "the group is in another call"))
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
	if !n.ScheduledEnd.IsZero() && n.ScheduledEnd.Before(n.ScheduledStart) {
		return invalid("endDate", "is before startDate")
	}
	return nil
}

func (s *Service) newCreateCommand(ctx context.Context, by Actor, n *NewCall) (*createCommand, error) {
	provider, err := s.registry.usable(ctx, n.Provider, n.Owner.Type.IsGroup())
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
	return &createCommand{
		access: acc, id: n.ID, owner: owner, provider: provider, title: n.Title,
		participants: parts, origins: origins(n.Participants, n.Spaces), start: n.Start,
		from: stored(n.ScheduledStart), to: stored(n.ScheduledEnd), inviteID: newSecret(),
	}, nil
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

// Call returns a call to one of its parties.
func (s *Service) Call(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "get call"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	c, _, err := s.partyCall(ctx, by, id)
	return c, wrap(op, err)
}

// partyCall reads a call and checks that by is a party of it.
func (s *Service) partyCall(ctx context.Context, by Actor, id CallID) (*Call, access, error) {
	if err := checkCallID(id); err != nil {
		return nil, access{}, err
	}
	c, err := s.store.Call(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !c.Removed.IsZero() {
		return nil, access{}, noSuchCall()
	}
	if err != nil {
		return nil, access{}, err
	}
	acc, err := s.access(ctx, by, c, ActionRead)
	if err != nil {
		return nil, access{}, err
	}
	return c, acc, acc.party(c)
}

// change runs a command that needs to know how by stands to the call.
func (s *Service) change(ctx context.Context, by Actor, id CallID, make func(access) command) (*Call, error) {
	return s.changeAs(ctx, by, id, ActionRead, make)
}

func (s *Service) changeAs(ctx context.Context, by Actor, id CallID, action Action, make func(access) command) (*Call, error) {
	if err := checkCallID(id); err != nil {
		return nil, err
	}
	for range maxCommitAttempts {
		c, err := s.store.Call(ctx, id)
		if errors.Is(err, ErrNotFound) || err == nil && !c.Removed.IsZero() {
			return nil, noSuchCall()
		}
		if err != nil {
			return nil, err
		}
		acc, err := s.access(ctx, by, c, action)
		if err != nil {
			return nil, err
		}
		c, err = s.submit(ctx, id, make(acc))
		if errors.As(err, &staleAccess{}) || errors.Is(err, errClaimed) {
			continue
		}
		return c, err
	}
	return nil, &Error{Code: CodeUnavailable, Message: "too many changes at once, please try again"}
}

// StartCall starts a call and rings everybody but the acting user; members
// that the group gained since its last run are added. Starting a started call
// changes nothing.
func (s *Service) StartCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "start call"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	c, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return nil, wrap(op, err)
	}
	if _, err := s.registry.usable(ctx, c.Provider, c.IsGroup()); err != nil {
		return nil, wrap(op, err)
	}
	var members []UserID
	if c.IsGroup() {
		g, err := s.group(ctx, c.Owner)
		if err != nil {
			return nil, wrap(op, err)
		}
		members = g.Members
	}
	c, err = s.changeAs(ctx, by, id, ActionManage, func(a access) command {
		return &startCommand{access: a, members: members, inviteID: newSecret()}
	})
	return c, wrap(op, err)
}

// StopCall ends the run of a call for everybody. Stopping a call that is not
// started changes nothing. A call between users is removed by it.
func (s *Service) StopCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "stop call"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	c, err := s.changeAs(ctx, by, id, ActionManage, func(a access) command { return &stopCommand{a} })
	return c, wrap(op, err)
}

// DeleteCall ends the run of a call, if it has one, and removes the call. It
// returns the call as it was removed.
func (s *Service) DeleteCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "delete call"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	c, err := s.changeAs(ctx, by, id, ActionManage, func(a access) command { return &deleteCommand{a} })
	return c, wrap(op, err)
}

// Admission is what a device gets by joining.
type Admission struct {
	Call *Call
	Seat SeatRef
	// Grant is what the provider hands out to this device; nil if nothing.
	Grant *Grant
}

// JoinCall gives by's device a seat in the call and starts the call if it is
// not started. A device that is inside already keeps its seat.
func (s *Service) JoinCall(ctx context.Context, by Actor, id CallID) (*Admission, error) {
	const op = "join call"
	if err := validActor(by, true); err != nil {
		return nil, wrap(op, err)
	}
	c, err := s.changeAs(ctx, by, id, ActionJoin, func(a access) command {
		return &joinCommand{access: a, seat: newSeatID(), inviteID: newSecret()}
	})
	if err != nil {
		return nil, wrap(op, err)
	}
	seat := c.Seat(by.User, by.Client)
	if seat == nil {
		return nil, wrap(op, seatGone())
	}
	ref := SeatRef{Call: id, Epoch: c.Epoch, Seat: seat.ID}
	s.leases.renew(ref, by.User, s.now().Add(s.opts.SeatTTL))
	grant, err := s.registry.grant(ctx, by, c, ref)
	if err != nil {
		// Without a grant the device can't take part: it must not stay.
		_, leaveErr := s.submit(ctx, id, &leaveCommand{by: by, epoch: ref.Epoch, seat: ref.Seat})
		return nil, wrap(op, errors.Join(err, leaveErr))
	}
	return &Admission{Call: c, Seat: ref, Grant: grant}, nil
}

// LeaveOptions say which seat is left. Nil or zero: that of the acting user's
// client in the present run.
type LeaveOptions struct {
	Epoch uint64
	Seat  SeatID
}

// LeaveCall takes a device out of a call. From a user who never was in this
// run it is a decline, see [Service.DeclineCall]. A seat that is gone, of an
// earlier run or of another user is left alone without an error.
func (s *Service) LeaveCall(ctx context.Context, by Actor, id CallID, opts *LeaveOptions) (*Call, error) {
	const op = "leave call"
	if opts == nil {
		opts = &LeaveOptions{}
	}
	if err := validActor(by, opts.Seat == ""); err != nil {
		return nil, wrap(op, err)
	}
	if err := checkCallID(id); err != nil {
		return nil, wrap(op, err)
	}
	c, err := s.submit(ctx, id, &leaveCommand{by: by, epoch: opts.Epoch, seat: opts.Seat})
	return c, wrap(op, err)
}

// DeclineCall refuses a call for all of the user's devices. A call between two
// users ends by it, a group's call never. It changes nothing for somebody who
// is or was inside.
func (s *Service) DeclineCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	const op = "decline call"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	if err := checkCallID(id); err != nil {
		return nil, wrap(op, err)
	}
	// A device without a name holds no seat, so nothing but a decline can
	// come of it.
	by.Client = ""
	c, err := s.submit(ctx, id, &leaveCommand{by: by})
	return c, wrap(op, err)
}

// CallUpdate names what to replace in a call; nil fields are kept.
type CallUpdate struct {
	Owner           *Ref
	Title, Provider *string
	Participants    []UserID
	Spaces          []string
	ScheduledStart  *time.Time
	ScheduledEnd    *time.Time
}

// UpdateCall replaces parts of a call's description. Participants who are
// dropped lose their seats.
func (s *Service) UpdateCall(ctx context.Context, by Actor, id CallID, u CallUpdate) (*Call, error) {
	const op = "update call"
	cmd, err := s.newUpdateCommand(ctx, by, id, &u)
	if err != nil {
		return nil, wrap(op, err)
	}
	c, err := s.changeAs(ctx, by, id, ActionManage, func(a access) command {
		c := *cmd
		c.access = a
		return &c
	})
	return c, wrap(op, err)
}

func (s *Service) newUpdateCommand(ctx context.Context, by Actor, id CallID, u *CallUpdate) (*updateCommand, error) {
	if err := validActor(by, false); err != nil {
		return nil, err
	}
	call, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return nil, err
	}
	cmd := &updateCommand{title: u.Title}
	owner := call.Owner
	if u.Title != nil {
		if err := checkText("title", *u.Title, 0, maxTitle); err != nil {
			return nil, err
		}
	}
	if u.Owner != nil {
		if err := checkOwner(*u.Owner); err != nil {
			return nil, err
		}
		if owner, _, _, err = s.ownerAccess(ctx, by, *u.Owner); err != nil {
			return nil, err
		}
		cmd.owner = &owner
	}
	if u.Provider != nil {
		provider, err := s.registry.usable(ctx, *u.Provider, owner.Type.IsGroup())
		if err != nil {
			return nil, err
		}
		cmd.provider = &provider
	}
	if u.ScheduledStart != nil {
		t := stored(*u.ScheduledStart)
		cmd.from = &t
	}
	if u.ScheduledEnd != nil {
		t := stored(*u.ScheduledEnd)
		cmd.to = &t
	}
	if u.Participants != nil || u.Spaces != nil {
		if cmd.participants, err = s.updatedParticipants(ctx, owner, u.Participants, u.Spaces); err != nil {
			return nil, err
		}
		cmd.origins = origins(u.Participants, u.Spaces)
	}
	return cmd, nil
}

// updatedParticipants resolves a new list; the members of a space or room stay
// its participants.
func (s *Service) updatedParticipants(ctx context.Context, owner Ref, users []UserID, spaces []string) ([]Participant, error) {
	var group *Group
	if owner.Type.IsGroup() {
		g, err := s.group(ctx, owner)
		if err != nil {
			return nil, err
		}
		group = g
	}
	parts, err := s.resolveParticipants(ctx, group, users, spaces)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, invalid("participants", "is empty")
	}
	if len(parts) > s.limits.maxParticipants {
		return nil, tooManyParticipants(s.limits.maxParticipants)
	}
	return parts, nil
}

// SetParticipants makes exactly these users the participants. Whoever is
// dropped loses his seats; members of the owning group may still come in.
func (s *Service) SetParticipants(ctx context.Context, by Actor, id CallID, ids []UserID) (*Call, error) {
	const op = "set participants"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	call, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return nil, wrap(op, err)
	}
	parts, err := s.updatedParticipants(ctx, Ref{Type: OwnerUser}, ids, nil)
	if err != nil {
		return nil, wrap(op, err)
	}
	if call.IsGroup() {
		g, err := s.group(ctx, call.Owner)
		if err != nil {
			return nil, wrap(op, err)
		}
		for i := range parts {
			parts[i].Member = g.HasMember(parts[i].ID)
		}
	}
	c, err := s.changeAs(ctx, by, id, ActionManage, func(a access) command {
		return &updateCommand{access: a, participants: parts}
	})
	return c, wrap(op, err)
}

// AddGuest adds a guest to the present run of a call. A party may add anybody,
// somebody else only himself after [Service.CheckInvite] let him in.
func (s *Service) AddGuest(ctx context.Context, by Actor, id CallID, guest UserID) (*Call, error) {
	const op = "add guest"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	if err := checkUserID("guestId", guest); err != nil {
		return nil, wrap(op, err)
	}
	c, err := s.change(ctx, by, id, func(a access) command { return &guestCommand{access: a, guest: guest} })
	return c, wrap(op, err)
}

// SetInvites says who may come in by the call link, besides the parties.
func (s *Service) SetInvites(ctx context.Context, by Actor, id CallID, invites []Invite) (*Call, error) {
	const op = "set invites"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	if len(invites) > maxInvites {
		return nil, wrap(op, invalid("invites", "has more than %d entries", maxInvites))
	}
	for _, i := range invites {
		if err := checkText("invites", i.ID, 1, maxID); err != nil {
			return nil, wrap(op, err)
		}
	}
	c, err := s.change(ctx, by, id, func(a access) command {
		return &invitesCommand{access: a, invites: invites, inviteID: newSecret()}
	})
	return c, wrap(op, err)
}

// CheckInvite tells whether the call link with this invite id lets the acting
// user in, and remembers it until the run ends. For a call that does not exist
// the answer is no.
func (s *Service) CheckInvite(ctx context.Context, by Actor, id CallID, inviteID string) (bool, error) {
	const op = "check invite"
	if err := validActor(by, false); err != nil {
		return false, wrap(op, err)
	}
	if err := checkCallID(id); err != nil {
		return false, wrap(op, err)
	}
	if err := checkText("inviteId", inviteID, 1, maxID); err != nil {
		return false, wrap(op, err)
	}
	call, err := s.store.Call(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (!call.Removed.IsZero() || call.InviteID == "") {
		return false, nil
	}
	if err != nil {
		return false, wrap(op, err)
	}
	cmd := &admitCommand{by: by.User, inviteID: inviteID, groups: s.invitedGroups(ctx, call.Invites, by.User)}
	if _, err := s.submit(ctx, id, cmd); err != nil {
		return false, wrap(op, err)
	}
	return cmd.allowed, nil
}

// CallStatus is a call's id and state.
type CallStatus struct {
	ID    CallID
	State State
}

// CallsState returns the group calls that the acting user takes part in, by
// id, with their states.
func (s *Service) CallsState(ctx context.Context, by Actor) ([]CallStatus, error) {
	const op = "list calls"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	var list []CallStatus
	for c, err := range s.store.Calls(ctx, CallQuery{Key: userKey(by.User)}) {
		if err != nil {
			return nil, wrap(op, err)
		}
		if c.IsGroup() && c.Removed.IsZero() {
			list = append(list, CallStatus{ID: c.ID, State: c.State})
		}
	}
	return list, nil
}

// OpenCalls returns the started calls, of users and groups, that the acting
// user is a participant of: what a page that was just opened has to show. A
// participant's Ring tells whether he is being rung.
func (s *Service) OpenCalls(ctx context.Context, by Actor) ([]*Call, error) {
	const op = "list open calls"
	if err := validActor(by, false); err != nil {
		return nil, wrap(op, err)
	}
	var list []*Call
	for c, err := range s.store.Calls(ctx, CallQuery{Key: userKey(by.User)}) {
		if err != nil {
			return nil, wrap(op, err)
		}
		if c.State != StateStarted {
			continue
		}
		acc, err := s.access(ctx, by, c, ActionRead)
		if err != nil {
			return nil, wrap(op, err)
		}
		if acc.party(c) == nil {
			list = append(list, c)
		}
	}
	return list, nil
}

// SendData sends a JSON object to the parties of a started or waiting call, as
// an [EventData] on [DataTopic] with the true sender. It is kept in the
// journal, so a device that reconnects misses nothing.
func (s *Service) SendData(ctx context.Context, by Actor, id CallID, data json.RawMessage) (Position, error) {
	const op = "send data"
	if err := validActor(by, false); err != nil {
		return 0, wrap(op, err)
	}
	if len(data) > maxData {
		return 0, wrap(op, &Error{Code: CodeLimited, Field: "data", Message: "data is too large"})
	}
	if trimmed := strings.TrimLeft(string(data[:min(len(data), 64)]), " \t\r\n"); !strings.HasPrefix(trimmed, "{") || !json.Valid(data) {
		return 0, wrap(op, invalid("data", "is not a JSON object"))
	}
	c, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return 0, wrap(op, err)
	}
	pos, err := s.store.Commit(ctx, &Change{Events: []Event{{
		Type: EventData, Topics: []Topic{DataTopic(id)}, CallID: id, Epoch: c.Epoch, Version: c.Version,
		Part: by.User, Client: by.Client, Actor: by.User, Cause: CauseCommand, Node: s.node, Time: s.now(),
		Data: slices.Clone(data),
	}}})
	if err != nil {
		return 0, wrap(op, err)
	}
	s.hub.announce(pos)
	return pos, nil
}
