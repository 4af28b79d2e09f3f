package webconferencing

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// lookups is how many questions the directory is asked at once for one
// answer.
const lookups = 16

// group asks the directory for a group. A space event is held in a space.
func (s *Service) group(ctx context.Context, ref Ref) (*Group, error) {
	asked := ref
	if ref.Type == OwnerSpaceEvent {
		asked.Type = OwnerSpace
	}
	g, err := callback(ctx, s, "directory", func(ctx context.Context) (*Group, error) {
		return s.directory.Group(ctx, asked)
	})
	if err != nil {
		return nil, err
	}
	if g == nil || g.Ref.ID == "" {
		return nil, &Error{Code: CodeInternal, Message: "internal error", Err: errors.New("directory returned a group without an id")}
	}
	own := *g
	own.Ref.Type = ref.Type
	own.Members = slices.Clone(g.Members)
	return &own, nil
}

func (s *Service) isMember(ctx context.Context, user UserID, ref Ref) (bool, error) {
	if m, ok := s.directory.(MembershipChecker); ok {
		if ref.Type == OwnerSpaceEvent {
			ref.Type = OwnerSpace
		}
		member, err := callback(ctx, s, "directory", func(ctx context.Context) (bool, error) {
			return m.IsMember(ctx, user, ref)
		})
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return member, err
	}
	g, err := s.group(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return false, nil // a group that is gone has no members
	}
	if err != nil {
		return false, err
	}
	return g.HasMember(user), nil
}

func (s *Service) user(ctx context.Context, id UserID) (*User, error) {
	u, err := callback(ctx, s, "directory", func(ctx context.Context) (*User, error) {
		return s.directory.User(ctx, id)
	})
	if err != nil {
		return nil, err
	}
	if u == nil || u.ID != id {
		return nil, &Error{Code: CodeInternal, Message: "internal error", Err: errors.New("directory returned another user")}
	}
	own := *u
	return &own, nil
}

// resolveParticipants makes participants of users, the members of the owning
// group and those of further spaces, each once, in this order.
func (s *Service) resolveParticipants(ctx context.Context, group *Group, users []UserID, spaces []string) ([]Participant, error) {
	if len(users) > s.limits.maxParticipants || len(spaces) > s.limits.maxParticipants {
		return nil, tooManyParticipants(s.limits.maxParticipants)
	}
	var parts []Participant
	index := make(map[UserID]bool)
	add := func(id UserID) {
		if !index[id] {
			index[id] = true
			parts = append(parts, Participant{ID: id, Kind: KindUser, Member: group != nil && group.HasMember(id)})
		}
	}
	for _, id := range users {
		if err := checkUserID("participants", id); err != nil {
			return nil, err
		}
		add(id)
	}
	named := len(parts)
	if group != nil {
		for _, id := range group.Members {
			add(id)
		}
	}
	for _, id := range spaces {
		if err := checkText("spaces", id, 1, maxID); err != nil {
			return nil, err
		}
		g, err := s.group(ctx, Ref{Type: OwnerSpace, ID: id})
		if errors.Is(err, ErrNotFound) {
			return nil, invalid("spaces", "names a space that does not exist")
		}
		if err != nil {
			return nil, err
		}
		for _, id := range g.Members {
			add(id)
		}
	}
	return parts, s.markExternal(ctx, parts[:named])
}

// markExternal finds the participants whom the directory does not know.
func (s *Service) markExternal(ctx context.Context, parts []Participant) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i := range parts {
		if parts[i].Member {
			continue
		}
		g.Go(func() error {
			_, err := s.user(ctx, parts[i].ID)
			if errors.Is(err, ErrNotFound) {
				parts[i].Kind = KindExternal
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// invitedGroups returns which of the invited groups a user belongs to. A
// group that can't be asked does not let anybody in.
func (s *Service) invitedGroups(ctx context.Context, invites []Invite, user UserID) []string {
	var in []string
	for _, i := range invites {
		if !i.Group || i.ID == Everybody {
			continue
		}
		member, err := s.isMember(ctx, user, Ref{Type: OwnerSpace, ID: i.ID})
		if err != nil {
			s.logger.WarnContext(ctx, "invited group can't be asked", "group", i.ID, "error", err)
			continue
		}
		if member {
			in = append(in, i.ID)
		}
	}
	return in
}

// User returns a person of the directory, with the accounts that were set by
// [Service.SetAccount].
func (s *Service) User(ctx context.Context, by Actor, id UserID) (*User, error) {
	const op = "get user"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := checkText("id", string(id), 1, maxID); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	u, err := s.user(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = &Error{Code: CodeNotFound, Message: "user not found", Err: err}
	}
	if err == nil {
		err = s.addAccounts(ctx, u)
	}
	return u, s.wrap(ctx, by, op, err)
}

// Users returns those of the people that the directory knows, for showing
// them; who can't be found is left out.
func (s *Service) Users(ctx context.Context, ids []UserID) map[UserID]*User {
	var mu sync.Mutex
	users := make(map[UserID]*User, len(ids))
	var g errgroup.Group
	g.SetLimit(lookups)
	for _, id := range ids {
		g.Go(func() error {
			if u, err := s.user(ctx, id); err == nil {
				mu.Lock()
				users[id] = u
				mu.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait()
	return users
}

// Owner returns the user or group that a call belongs to.
func (s *Service) Owner(ctx context.Context, c *Call) (*User, *Group, error) {
	if c.IsGroup() {
		g, err := s.group(ctx, c.Owner)
		return nil, g, s.wrap(ctx, Actor{}, "get owner", err)
	}
	u, err := s.user(ctx, UserID(c.Owner.ID))
	return u, nil, s.wrap(ctx, Actor{}, "get owner", err)
}

// Space returns a space by id, short name or group id to one of its members.
func (s *Service) Space(ctx context.Context, by Actor, id string) (*Group, error) {
	g, err := s.memberGroup(ctx, by, Ref{Type: OwnerSpace, ID: id}, "space")
	return g, s.wrap(ctx, by, "get space", err)
}

func (s *Service) memberGroup(ctx context.Context, by Actor, ref Ref, what string) (*Group, error) {
	if err := validActor(by, false); err != nil {
		return nil, err
	}
	if err := checkText("id", ref.ID, 1, maxID); err != nil {
		return nil, err
	}
	g, err := s.group(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return nil, &Error{Code: CodeNotFound, Message: what + " not found", Err: err}
	}
	if err != nil {
		return nil, err
	}
	if !g.HasMember(by.User) {
		return nil, denied("only members of the " + what + " may see it")
	}
	return g, nil
}

// SpaceEvent returns the group that an event in a space is for: the users, and
// the members of the space and of further spaces. Only they may ask.
func (s *Service) SpaceEvent(ctx context.Context, by Actor, space string, users []UserID, spaces []string) (*Group, error) {
	const op = "get space event"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := checkText("id", space, 1, maxID); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	g, err := s.group(ctx, Ref{Type: OwnerSpaceEvent, ID: space})
	if errors.Is(err, ErrNotFound) {
		err = &Error{Code: CodeNotFound, Message: "space not found", Err: err}
	}
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	parts, err := s.resolveParticipants(ctx, g, users, spaces)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	g.Members = g.Members[:0]
	for _, p := range parts {
		g.Members = append(g.Members, p.ID)
	}
	if !g.HasMember(by.User) {
		return nil, s.wrap(ctx, by, op, denied("only members may see it"))
	}
	return g, nil
}

// Room returns a chat room to one of its members. A room that the directory
// does not know consists of the members given.
func (s *Service) Room(ctx context.Context, by Actor, id, title string, members []UserID) (*Group, error) {
	const op = "get room"
	ref := Ref{Type: OwnerChatRoom, ID: id}
	g, err := s.memberGroup(ctx, by, ref, "room")
	if !errors.Is(err, ErrNotFound) || len(members) == 0 {
		return g, s.wrap(ctx, by, op, err)
	}
	if err := checkText("title", title, 0, maxTitle); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if len(members) > s.limits.maxParticipants {
		return nil, s.wrap(ctx, by, op, tooManyParticipants(s.limits.maxParticipants))
	}
	g = &Group{Ref: ref, Title: title}
	for _, m := range members {
		if err := checkUserID("members", m); err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		if !g.HasMember(m) {
			g.Members = append(g.Members, m)
		}
	}
	if !g.HasMember(by.User) {
		return nil, s.wrap(ctx, by, op, denied("only members of the room may see it"))
	}
	return g, nil
}

// GroupCall returns the id of a group's call to one of its members, or "" if
// it has none. Space events may have several and are not asked for.
func (s *Service) GroupCall(ctx context.Context, by Actor, group Ref) (CallID, error) {
	const op = "get group call"
	if err := validActor(by, false); err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	member, err := s.isMember(ctx, by.User, group)
	if err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	if !member {
		return "", s.wrap(ctx, by, op, denied("only members of the group may do this"))
	}
	v, err := s.store.Value(ctx, groupClaim(group))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	return CallID(v.Data), nil
}

// Presence returns a user's status; [Offline] if the directory can't tell.
func (s *Service) Presence(ctx context.Context, by Actor, id UserID) (Presence, error) {
	const op = "get presence"
	if err := validActor(by, false); err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	p, err := s.presence(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = &Error{Code: CodeNotFound, Message: "user not found", Err: err}
	}
	return p, s.wrap(ctx, by, op, err)
}

func (s *Service) presence(ctx context.Context, id UserID) (Presence, error) {
	source, ok := s.directory.(PresenceSource)
	if !ok {
		return Offline, nil
	}
	return callback(ctx, s, "directory", func(ctx context.Context) (Presence, error) {
		return source.Presence(ctx, id)
	})
}

// SearchIdentities finds up to 30 people and groups by a part of their name:
// up to 15 people, the rest groups, sorted by display name.
func (s *Service) SearchIdentities(ctx context.Context, by Actor, text string) ([]Identity, error) {
	const op = "search identities"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := checkText("name", text, 1, maxSearch); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	source, ok := s.directory.(Searcher)
	if !ok {
		return nil, s.wrap(ctx, by, op, &Error{Code: CodeUnsupported, Message: "the directory can't be searched"})
	}
	found, err := callback(ctx, s, "directory", func(ctx context.Context) ([]Identity, error) {
		return source.Search(ctx, by.User, text, searchLimit*2)
	})
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return firstIdentities(found), nil
}

func firstIdentities(found []Identity) []Identity {
	sorted := slices.Clone(found)
	slices.SortStableFunc(sorted, func(a, b Identity) int {
		return cmp.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
	})
	people := 0
	kept := make([]Identity, 0, searchLimit)
	for _, i := range sorted {
		if !i.Group {
			if people == searchLimit/2 {
				continue
			}
			people++
		}
		if len(kept) < searchLimit {
			kept = append(kept, i)
		}
	}
	return kept
}
