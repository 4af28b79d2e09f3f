package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
)

// demoPassword opens every account of the demo.
const demoPassword = "demo"

// person is an account of the portal.
type person struct {
	ID, First, Last string
	Job             string
	Admin           bool
}

// Name is what other people see.
func (p *person) Name() string { return p.First + " " + p.Last }

// group is a space or a chat room.
type group struct {
	Kind    webconferencing.OwnerType
	ID      string
	Title   string
	About   string
	Members []string
	Manager string // who decides for the group, "" for administrators only
}

// Path is where the group's page is.
func (g *group) Path() string {
	if g.Kind == webconferencing.OwnerChatRoom {
		return "/portal/rooms/" + g.ID
	}
	return "/portal/spaces/" + g.ID
}

// directory is what the portal knows about people and groups. A real portal
// asks its database; the demo has everything in memory. It implements
// [webconferencing.Directory] and four optional interfaces: Searcher,
// GroupManager, PresenceSource, and PresenceClaimer, which shows who is in a
// call. It may be used concurrently.
type directory struct {
	webconferencing.PresenceClaims
	people []person // ordered by name
	groups []group

	mu     sync.Mutex
	seen   map[string]time.Time                // person's id → last request
	chosen map[string]webconferencing.Presence // by those who do not want to be disturbed
}

func newDirectory() *directory {
	return &directory{
		people: []person{
			{ID: "jack", First: "Jack", Last: "Miller", Job: "Sales"},
			{ID: "james", First: "James", Last: "Davis", Job: "Product marketing"},
			{ID: "john", First: "John", Last: "Smith", Job: "Engineering"},
			{ID: "mary", First: "Mary", Last: "Williams", Job: "Product management"},
			{ID: "root", First: "Root", Last: "Root", Job: "Administration", Admin: true},
		},
		groups: []group{
			{
				Kind: webconferencing.OwnerSpace, ID: "product_team", Title: "Product Team",
				About: "What we build next, and why.", Members: []string{"mary", "john", "james"}, Manager: "mary",
			},
			{
				Kind: webconferencing.OwnerSpace, ID: "sales_team", Title: "Sales Team",
				About: "Customers, offers and what they ask for.", Members: []string{"james", "jack"},
			},
			{
				Kind: webconferencing.OwnerChatRoom, ID: "team-welcome", Title: "Welcome",
				About: "Say hello to the people who have just arrived.", Members: []string{"mary", "john", "jack"},
			},
		},
		seen:   make(map[string]time.Time),
		chosen: make(map[string]webconferencing.Presence),
	}
}

// person returns the account with the id, or nil.
func (d *directory) person(id string) *person {
	for i := range d.people {
		if d.people[i].ID == id {
			return &d.people[i]
		}
	}
	return nil
}

// group returns the group of a kind by its id or, for spaces, by its group id.
func (d *directory) group(kind webconferencing.OwnerType, id string) *group {
	if kind == webconferencing.OwnerSpaceEvent { // held in a space
		kind = webconferencing.OwnerSpace
	}
	for i := range d.groups {
		g := &d.groups[i]
		if g.Kind == kind && (g.ID == id || kind == webconferencing.OwnerSpace && groupID(g) == id) {
			return g
		}
	}
	return nil
}

// groupsOf returns the groups of a kind that a person belongs to.
func (d *directory) groupsOf(kind webconferencing.OwnerType, id string) []*group {
	var found []*group
	for i := range d.groups {
		if d.groups[i].Kind == kind && slices.Contains(d.groups[i].Members, id) {
			found = append(found, &d.groups[i])
		}
	}
	return found
}

func (d *directory) logins() []string {
	var ids []string
	for _, p := range d.people {
		ids = append(ids, p.ID)
	}
	return ids
}

// groupID is the path by which clients name a space, "" for a chat room.
func groupID(g *group) string {
	if g.Kind != webconferencing.OwnerSpace {
		return ""
	}
	return "/spaces/" + g.ID
}

// avatarPath is where the picture of a person or group is. Clients append
// "&size=...", hence the query.
func avatarPath(id string) string { return "/portal/avatars/" + id + ".svg?v=1" }

// User implements [webconferencing.Directory].
func (d *directory) User(_ context.Context, id webconferencing.UserID) (*webconferencing.User, error) {
	p := d.person(string(id))
	if p == nil {
		return nil, fmt.Errorf("person %q: %w", id, webconferencing.ErrNotFound)
	}
	return &webconferencing.User{
		ID:          id,
		FirstName:   p.First,
		LastName:    p.Last,
		AvatarLink:  avatarPath(p.ID),
		ProfileLink: "/portal/people/" + p.ID,
	}, nil
}

// IsManager implements [webconferencing.GroupManager]: managers moderate the
// group's calls and choose its providers.
func (d *directory) IsManager(_ context.Context, user webconferencing.UserID, ref webconferencing.Ref) (bool, error) {
	g := d.group(ref.Type, ref.ID)
	if g == nil {
		return false, fmt.Errorf("%s %q: %w", ref.Type, ref.ID, webconferencing.ErrNotFound)
	}
	return g.Manager != "" && g.Manager == string(user), nil
}

// Group implements [webconferencing.Directory].
func (d *directory) Group(_ context.Context, ref webconferencing.Ref) (*webconferencing.Group, error) {
	g := d.group(ref.Type, ref.ID)
	if g == nil {
		return nil, fmt.Errorf("%s %q: %w", ref.Type, ref.ID, webconferencing.ErrNotFound)
	}
	members := make([]webconferencing.UserID, len(g.Members))
	for i, id := range g.Members {
		members[i] = webconferencing.UserID(id)
	}
	return &webconferencing.Group{
		Ref:         webconferencing.Ref{Type: ref.Type, ID: g.ID},
		Title:       g.Title,
		GroupID:     groupID(g),
		AvatarLink:  avatarPath(g.ID),
		ProfileLink: g.Path(),
		Members:     members,
	}, nil
}

// Search implements [webconferencing.Searcher]: everybody may find everybody,
// and the spaces that they are a member of.
func (d *directory) Search(_ context.Context, by webconferencing.UserID, text string, limit int) ([]webconferencing.Identity, error) {
	text = strings.ToLower(text)
	var found []webconferencing.Identity
	for _, p := range d.people {
		if strings.Contains(strings.ToLower(p.Name()), text) {
			found = append(found, webconferencing.Identity{ID: p.ID, DisplayName: p.Name(), AvatarLink: avatarPath(p.ID)})
		}
	}
	for _, g := range d.groupsOf(webconferencing.OwnerSpace, string(by)) {
		if strings.Contains(strings.ToLower(g.Title), text) {
			found = append(found, webconferencing.Identity{ID: groupID(g), DisplayName: g.Title, Group: true, AvatarLink: avatarPath(g.ID)})
		}
	}
	slices.SortFunc(found, func(a, b webconferencing.Identity) int { return strings.Compare(a.DisplayName, b.DisplayName) })
	return found[:min(limit, len(found))], nil
}

// presenceWindow is how long after the last sign of life a person counts as
// available. Open pages are heard of every few seconds.
const presenceWindow = 45 * time.Second

// Presence implements [webconferencing.PresenceSource].
func (d *directory) Presence(_ context.Context, id webconferencing.UserID) (webconferencing.Presence, error) {
	if d.person(string(id)) == nil {
		return "", fmt.Errorf("person %q: %w", id, webconferencing.ErrNotFound)
	}
	return d.Show(id, d.ownPresence(string(id))), nil
}

// ownPresence is the status apart from calls.
func (d *directory) ownPresence(id string) webconferencing.Presence {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.seen[id]; ok && time.Since(last) < presenceWindow {
		return d.chosenOrAvailable(id)
	}
	return webconferencing.Offline
}

// chosenOrAvailable is called with the lock held.
func (d *directory) chosenOrAvailable(id string) webconferencing.Presence {
	if p, ok := d.chosen[id]; ok {
		return p
	}
	return webconferencing.Available
}

// chosenPresence returns how a person wants to be seen while signed in.
func (d *directory) chosenPresence(id string) webconferencing.Presence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.chosenOrAvailable(id)
}

// choosePresence keeps it until the portal ends.
func (d *directory) choosePresence(id string, p webconferencing.Presence) {
	d.mu.Lock()
	d.chosen[id] = p
	d.mu.Unlock()
	d.Chose(webconferencing.UserID(id))
}

// noteSeen records a sign of life of a known person.
func (d *directory) noteSeen(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[id] = time.Now()
}

// noteGone records that a person has signed out.
func (d *directory) noteGone(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, id)
}
