package webconferencing

import "context"

// Directory is the host's knowledge of people and groups. The library asks it
// whenever it needs a name or a membership and keeps no copy.
//
// Methods may be called concurrently and should answer within a second; after
// [Options].CallbackTimeout the library gives up on them. What they return
// belongs to the caller.
//
// Optional capabilities: [MembershipChecker] for large groups, [Searcher] for
// inviting, [PresenceSource] for the users' status, [PresenceClaimer] for
// showing who is in a call.
type Directory interface {
	// User returns a person by id, or [ErrNotFound].
	User(ctx context.Context, id UserID) (*User, error)
	// Group returns a space or chat room with its members, or [ErrNotFound].
	// A space may be asked for by its id, its short name or its group id; the
	// result has the id. Ref.Type is never OwnerUser; an OwnerSpaceEvent asks for the
	// space it is held in.
	Group(ctx context.Context, ref Ref) (*Group, error)
}

// MembershipChecker is a [Directory] that can tell whether somebody belongs to
// a group without listing the group. Who has groups of hundreds should
// implement it.
type MembershipChecker interface {
	// IsMember tells whether the user belongs to the group, or returns
	// [ErrNotFound] if there is no such group.
	IsMember(ctx context.Context, user UserID, group Ref) (bool, error)
}

// Searcher is a [Directory] that can find people and groups by a part of their
// name, for inviting them.
type Searcher interface {
	// Search returns up to limit identities that by may see, sorted by
	// display name.
	Search(ctx context.Context, by UserID, text string, limit int) ([]Identity, error)
}

// PresenceSource is a [Directory] that knows whether a user is available.
type PresenceSource interface {
	// Presence returns the status of a user, or [ErrNotFound].
	Presence(ctx context.Context, id UserID) (Presence, error)
}

// Presence is a user's status in the portal.
type Presence string

// The statuses that clients know.
const (
	Available    Presence = "available"
	Away         Presence = "away"
	DoNotDisturb Presence = "donotdisturb"
	Invisible    Presence = "invisible"
	Offline      Presence = "offline"
)

// InCall is the status that a [PresenceClaimer] shows. Clients made for the
// predecessor don't know it.
const InCall Presence = "in_call"

// User is a person as the host knows it.
type User struct {
	ID          UserID
	FirstName   string
	LastName    string
	AvatarLink  string // https or same-origin; clients append "&size=200x200", so give it a query
	ProfileLink string
	IMAccounts  map[string][]IMAccount // by IM type
}

// Title is the first and last name joined by one space, or the id when both
// are empty.
func (u *User) Title() string {
	switch {
	case u.FirstName == "" && u.LastName == "":
		return string(u.ID)
	case u.FirstName == "":
		return u.LastName
	case u.LastName == "":
		return u.FirstName
	}
	return u.FirstName + " " + u.LastName
}

// IMAccount is a person's account at a call provider or messenger.
type IMAccount struct {
	Type string
	ID   string
}

// Group is a space or chat room as the host knows it.
type Group struct {
	Ref         Ref
	Title       string
	GroupID     string // of a space, for example "/spaces/product_team"
	AvatarLink  string
	ProfileLink string
	Members     []UserID
}

// HasMember tells whether a user belongs to the group.
func (g *Group) HasMember(id UserID) bool {
	for _, m := range g.Members {
		if m == id {
			return true
		}
	}
	return false
}

// Identity is a person or group found by a [Searcher].
type Identity struct {
	ID          string // user id, or group id
	DisplayName string
	Group       bool
	AvatarLink  string
}

// Actor is who acts. It is fixed by the host's authentication and is an
// argument of every command; nothing in a request's body can change it.
type Actor struct {
	User UserID
	// Client names the device or browser tab, unique for the user.
	Client ClientID
	// Admin may administrate providers and look at any call.
	Admin bool
	// Key makes it safe to send a command again whose answer got lost: a
	// command with a key is carried out once, its repeats within 24 h are
	// answered with the call as it is by then. 1 to 255 characters, chosen by
	// the client, unique for the user. Defaults to none.
	Key string
	// Ref names the request in errors, in the service's log and in the
	// journal, so that they can be joined: up to 32 ASCII letters, digits and
	// "-", chosen by the host. Anything else is dropped. Defaults to none.
	Ref string
}
