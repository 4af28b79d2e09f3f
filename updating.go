package webconferencing

import (
	"context"
	"errors"
	"slices"
	"time"
)

// CallUpdate names what to replace in a call; nil fields are kept.
type CallUpdate struct {
	Owner           *Ref
	Title, Provider *string
	Participants    []UserID
	Spaces          []string
	ScheduledStart  *time.Time
	ScheduledEnd    *time.Time
	// IfVersion refuses the update if the call is at another version than
	// this: the error has [CodeConflict] and [ReasonVersion]. Defaults to no
	// condition.
	IfVersion uint64
}

// UpdateCall replaces parts of a call's description. Participants who are
// dropped lose their seats.
func (s *Service) UpdateCall(ctx context.Context, by Actor, id CallID, u CallUpdate) (*Call, error) {
	const op = "update call"
	cmd, err := s.newUpdateCommand(ctx, by, id, &u)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return s.command(ctx, by, op, id, ActionManage, u, func(a access) command {
		c := *cmd
		c.access = a
		return &c
	})
}

func (s *Service) newUpdateCommand(ctx context.Context, by Actor, id CallID, u *CallUpdate) (*updateCommand, error) {
	if err := validActor(by, false); err != nil {
		return nil, err
	}
	call, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return nil, err
	}
	cmd := &updateCommand{title: u.Title, ifVersion: u.IfVersion}
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
		provider, err := s.registry.usable(ctx, *u.Provider, owner)
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
		return nil, s.wrap(ctx, by, op, err)
	}
	call, _, err := s.partyCall(ctx, by, id)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	parts, err := s.updatedParticipants(ctx, Ref{Type: OwnerUser}, ids, nil)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if call.IsGroup() {
		g, err := s.group(ctx, call.Owner)
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		for i := range parts {
			parts[i].Member = g.HasMember(parts[i].ID)
		}
	}
	return s.command(ctx, by, op, id, ActionManage, ids, func(a access) command {
		return &updateCommand{access: a, participants: parts}
	})
}

// AddGuest adds a guest to the present run of a call. A party may add anybody,
// somebody else only himself after [Service.CheckInvite] let him in.
func (s *Service) AddGuest(ctx context.Context, by Actor, id CallID, guest UserID) (*Call, error) {
	const op = "add guest"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := checkUserID("guestId", guest); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return s.command(ctx, by, op, id, ActionRead, guest, func(a access) command { return &guestCommand{access: a, guest: guest} })
}

// SetInvites says who may come in by the call link, besides the parties.
func (s *Service) SetInvites(ctx context.Context, by Actor, id CallID, invites []Invite) (*Call, error) {
	const op = "set invites"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if len(invites) > maxInvites {
		return nil, s.wrap(ctx, by, op, invalid("invites", "has more than %d entries", maxInvites))
	}
	for _, i := range invites {
		if err := checkText("invites", i.ID, 1, maxID); err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
	}
	return s.command(ctx, by, op, id, ActionRead, invites, func(a access) command {
		return &invitesCommand{access: a, invites: invites, inviteID: newSecret()}
	})
}

// CheckInvite tells whether the call link with this invite id lets the acting
// user in, and remembers it until the run ends. For a call that does not exist
// the answer is no.
func (s *Service) CheckInvite(ctx context.Context, by Actor, id CallID, inviteID string) (bool, error) {
	const op = "check invite"
	if err := validActor(by, false); err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	if err := checkCallID(id); err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	if err := checkText("inviteId", inviteID, 1, maxID); err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	call, err := s.store.Call(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (!call.Removed.IsZero() || call.InviteID == "") {
		return false, nil
	}
	if err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	once, err := newOnce(by, op, id, inviteID)
	if err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	cmd := &admitCommand{by: by, inviteID: inviteID, groups: s.invitedGroups(ctx, call.Invites, by.User)}
	c, err := s.submitOnce(ctx, id, cmd, once)
	if err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	return cmd.allowed || once != nil && c != nil && slices.Contains(c.Admitted, by.User), nil
}
