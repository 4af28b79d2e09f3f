package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
)

// wireTime is a point in time as the wire has it: UTC with milliseconds. The
// zero time is null.
type wireTime time.Time

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (t wireTime) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + time.Time(t).UTC().Format(timeLayout) + `"`), nil
}

// orNil returns nil for the empty string, so that it becomes null.
func orNil[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// orNoTime returns nil for the zero time, so that the member is left out.
func orNoTime(t time.Time) *wireTime {
	if t.IsZero() {
		return nil
	}
	w := wireTime(t)
	return &w
}

type imAccountView struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// userView is a person, inside a call also a participant.
type userView struct {
	ID          string                     `json:"id"`
	Title       string                     `json:"title"`
	FirstName   string                     `json:"firstName"`
	LastName    string                     `json:"lastName"`
	Type        string                     `json:"type"`
	Group       bool                       `json:"group"`
	AvatarLink  *string                    `json:"avatarLink"`
	ProfileLink *string                    `json:"profileLink"`
	IMAccounts  map[string][]imAccountView `json:"imAccounts"`
	State       *string                    `json:"state"`
	ClientID    *string                    `json:"clientId"`
	Ring        string                     `json:"ring,omitempty"`
	RingingOn   []webconferencing.ClientID `json:"ringingOn,omitempty"`
	Legs        []legView                  `json:"legs,omitempty"`
	AnsweredBy  string                     `json:"answeredBy,omitempty"`
	Silent      bool                       `json:"silent,omitempty"`
}

// legView is the ring of one device.
type legView struct {
	ClientID string   `json:"clientId"`
	State    string   `json:"state"`
	By       string   `json:"by,omitempty"` // the other device that answered or declined
	Since    wireTime `json:"since"`
	Ended    wireTime `json:"ended"`
}

func viewLegs(legs []webconferencing.RingLeg) []legView {
	views := make([]legView, len(legs))
	for i, l := range legs {
		views[i] = legView{
			ClientID: string(l.Client), State: string(l.State), By: string(l.By), Since: wireTime(l.Since), Ended: wireTime(l.Ended),
		}
	}
	return views
}

// groupView is a space, space event or chat room.
type groupView struct {
	ID          string              `json:"id"`
	Title       string              `json:"title"`
	Type        string              `json:"type"`
	Group       bool                `json:"group"` // always true
	GroupID     *string             `json:"groupId"`
	AvatarLink  *string             `json:"avatarLink"`
	ProfileLink *string             `json:"profileLink"`
	CallID      *string             `json:"callId"`
	Members     map[string]userView `json:"members"`
}

// callView is a call as its parties see it.
type callView struct {
	ID           string     `json:"id"`
	Title        string     `json:"title"`
	Owner        any        `json:"owner"` // userView or groupView
	ProviderType string     `json:"providerType"`
	State        *string    `json:"state"`
	LastDate     wireTime   `json:"lastDate"`
	StartDate    wireTime   `json:"startDate"`
	EndDate      wireTime   `json:"endDate"`
	InviteID     *string    `json:"inviteId"`
	Participants []userView `json:"participants"`
	Origins      []refView  `json:"origins"`
	Epoch        uint64     `json:"epoch"`
	Version      uint64     `json:"version"`
	Reason       *string    `json:"reason"`
	RingUntil    wireTime   `json:"ringUntil"`
	Starter      *string    `json:"starter"`
	Answered     wireTime   `json:"answered"`
	RingFor      int        `json:"ringFor,omitempty"` // seconds
	Rings        int        `json:"rings,omitempty"`
	RingNext     *wireTime  `json:"ringNext,omitempty"`
	AloneUntil   *wireTime  `json:"aloneUntil,omitempty"`
	Seat         string     `json:"seat,omitempty"`
	Grant        *grantView `json:"grant,omitempty"`
}

type refView struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

type grantView struct {
	URL      *string        `json:"url"`
	Token    *string        `json:"token"`
	Settings map[string]any `json:"settings"`
	Expires  wireTime       `json:"expires"`
}

type statusView struct {
	ID    string  `json:"id"`
	State *string `json:"state"`
}

type identityView struct {
	ID          string  `json:"id"`
	DisplayName string  `json:"displayName"`
	Type        string  `json:"type"` // user or group
	AvatarURL   *string `json:"avatarUrl"`
}

type presenceView struct {
	UserID string `json:"userId"`
	Status string `json:"status"` // one of the five words of the wire contract
	InCall bool   `json:"inCall,omitempty"`
}

// viewPresence says of somebody in a call that he does not want to be
// disturbed, for clients that have no word for it.
func viewPresence(id webconferencing.UserID, p webconferencing.Presence) presenceView {
	if p == webconferencing.InCall {
		return presenceView{UserID: string(id), Status: string(webconferencing.DoNotDisturb), InCall: true}
	}
	return presenceView{UserID: string(id), Status: string(p)}
}

type providerView struct {
	Type           string   `json:"type"`
	Title          string   `json:"title"`
	Description    string   `json:"description"`
	Active         bool     `json:"active"`
	LogEnabled     bool     `json:"logEnabled"`
	SupportedTypes []string `json:"supportedTypes"`
	Groups         bool     `json:"groups"`
	OneToOne       bool     `json:"oneToOne"`
	MaxParties     int      `json:"maxParties"` // 0 for no limit of its own
	Features       []string `json:"features"`
	Version        string   `json:"version"`
	// Module is where the browser module is, relative to the client assets;
	// in the context only.
	Module string `json:"module,omitempty"`
}

func viewUser(u *webconferencing.User) userView {
	v := userView{
		ID: string(u.ID), Title: u.Title(), FirstName: u.FirstName, LastName: u.LastName,
		Type: string(webconferencing.KindUser), AvatarLink: orNil(u.AvatarLink), ProfileLink: orNil(u.ProfileLink),
		IMAccounts: make(map[string][]imAccountView, len(u.IMAccounts)),
	}
	for kind, accounts := range u.IMAccounts {
		list := make([]imAccountView, len(accounts))
		for i, a := range accounts {
			list[i] = imAccountView{Type: a.Type, ID: a.ID}
		}
		v.IMAccounts[kind] = list
	}
	return v
}

// knownUser returns the view of a user, a bare one if the directory did not
// answer for the id.
func knownUser(users map[webconferencing.UserID]*webconferencing.User, id webconferencing.UserID) userView {
	if u := users[id]; u != nil {
		return viewUser(u)
	}
	return viewUser(&webconferencing.User{ID: id})
}

// nameOnly is what guests learn of other people.
func nameOnly(v userView) userView {
	v.ProfileLink = nil
	v.IMAccounts = map[string][]imAccountView{}
	return v
}

func viewParticipant(p webconferencing.Participant, users map[webconferencing.UserID]*webconferencing.User) userView {
	v := knownUser(users, p.ID)
	v.Type = string(p.Kind)
	v.State = orNil(string(p.State))
	v.ClientID = orNil(string(p.Client))
	v.Ring, v.RingingOn, v.Legs = string(p.Ring), p.RingingOn, viewLegs(p.Legs)
	v.AnsweredBy, v.Silent = string(p.AnsweredBy), p.Silent
	return v
}

func viewGroup(g *webconferencing.Group, call webconferencing.CallID, users map[webconferencing.UserID]*webconferencing.User) groupView {
	v := groupView{
		ID: g.Ref.ID, Title: g.Title, Type: string(g.Ref.Type), Group: true, GroupID: orNil(g.GroupID),
		AvatarLink: orNil(g.AvatarLink), ProfileLink: orNil(g.ProfileLink), CallID: orNil(string(call)),
		Members: make(map[string]userView, len(g.Members)),
	}
	for _, id := range g.Members {
		v.Members[string(id)] = knownUser(users, id)
	}
	return v
}

// viewFullGroup looks up the group's call and members. A room that only the
// request knows has no call.
func (a *API) viewFullGroup(ctx context.Context, by webconferencing.Actor, g *webconferencing.Group) (groupView, error) {
	call, err := a.svc.GroupCall(ctx, by, g.Ref)
	switch webconferencing.CodeOf(err) {
	case "", webconferencing.CodeNotFound, webconferencing.CodeDenied:
	default:
		return groupView{}, err
	}
	return viewGroup(g, call, a.names.users(ctx, g.Members)), nil
}

// maxOwnerMembers is how large a group may be to be shown with its members in
// each of its calls. Nearly all of them are among the participants as well, and
// a few such answers would fill a session's queue; the space's own resource
// has them always.
const maxOwnerMembers = 200

// viewCall renders a call for one of its parties. Who is inside only as a
// guest sees the participants by name and no other members of the group; who
// is no party, such as an administrator, never sees the invite id.
func (a *API) viewCall(ctx context.Context, by webconferencing.Actor, c *webconferencing.Call) (callView, error) {
	v := callView{
		ID: string(c.ID), Title: c.Title, ProviderType: c.Provider, State: orNil(string(c.State)),
		LastDate: wireTime(c.Started), StartDate: wireTime(c.ScheduledStart), EndDate: wireTime(c.ScheduledEnd),
		Participants: make([]userView, 0, len(c.Participants)), Origins: make([]refView, 0, len(c.Origins)),
		Epoch: c.Epoch, Version: c.Version, Reason: orNil(string(c.Reason)), RingUntil: wireTime(c.RingUntil),
		Starter: orNil(string(c.Starter)), Answered: wireTime(c.Answered),
		RingFor: int((c.RingFor + time.Second - 1) / time.Second), Rings: c.Rings,
	}
	v.RingNext, v.AloneUntil = orNoTime(c.RingNext), orNoTime(c.AloneUntil)
	user, group, err := a.svc.Owner(ctx, c)
	if err != nil && webconferencing.CodeOf(err) != webconferencing.CodeNotFound {
		return callView{}, err
	}
	self := c.Participant(by.User)
	member := group != nil && group.HasMember(by.User)
	outsider := !member && !by.Admin && (self == nil || self.Kind == webconferencing.KindGuest)
	if member || self != nil || c.Creator == by.User || slices.Contains(c.Admitted, by.User) {
		v.InviteID = orNil(c.InviteID)
	}

	users := a.names.users(ctx, peopleOf(c, group, outsider))
	show := func(u userView) userView {
		if outsider && u.ID != string(by.User) {
			return nameOnly(u)
		}
		return u
	}
	for _, p := range c.Participants {
		v.Participants = append(v.Participants, show(viewParticipant(p, users)))
	}
	for _, o := range c.Origins {
		v.Origins = append(v.Origins, refView{ID: o.ID, Type: string(o.Type)})
	}
	switch {
	case group != nil:
		g := *group
		if outsider {
			g.GroupID, g.ProfileLink = "", ""
		}
		if outsider || len(g.Members) > maxOwnerMembers {
			g.Members = nil
		}
		v.Owner = viewGroup(&g, c.ID, users)
	case user != nil:
		v.Owner = show(viewUser(user))
	case c.Owner.Type.IsGroup():
		v.Owner = viewGroup(&webconferencing.Group{Ref: c.Owner, Title: c.Title}, c.ID, nil)
	default:
		v.Owner = viewUser(&webconferencing.User{ID: webconferencing.UserID(c.Owner.ID)})
	}
	return v, nil
}

func (a *API) viewCalls(ctx context.Context, by webconferencing.Actor, calls []*webconferencing.Call) ([]callView, error) {
	views := make([]callView, 0, len(calls))
	for _, c := range calls {
		v, err := a.viewCall(ctx, by, c)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// peopleOf lists the users whose names a view of the call needs, each once.
func peopleOf(c *webconferencing.Call, g *webconferencing.Group, outsider bool) []webconferencing.UserID {
	ids := make([]webconferencing.UserID, 0, len(c.Participants))
	for _, p := range c.Participants {
		if p.Kind != webconferencing.KindExternal {
			ids = append(ids, p.ID)
		}
	}
	if g != nil && !outsider && len(g.Members) <= maxOwnerMembers {
		ids = append(ids, g.Members...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// viewAdmission is the call with what the joining device alone gets.
func (a *API) viewAdmission(ctx context.Context, by webconferencing.Actor, adm *webconferencing.Admission) (callView, error) {
	v, err := a.viewCall(ctx, by, adm.Call)
	if err != nil {
		return callView{}, err
	}
	v.Seat = string(adm.Seat.Seat)
	if g := adm.Grant; g != nil {
		v.Grant = &grantView{URL: orNil(g.URL), Token: orNil(g.Token), Settings: g.Settings, Expires: wireTime(g.Expires)}
	}
	return v, nil
}

func viewStatuses(list []webconferencing.CallStatus) []statusView {
	views := make([]statusView, len(list))
	for i, s := range list {
		views[i] = statusView{ID: string(s.ID), State: orNil(string(s.State))}
	}
	return views
}

func viewIdentities(list []webconferencing.Identity) []identityView {
	views := make([]identityView, len(list))
	for i, id := range list {
		views[i] = identityView{ID: id.ID, DisplayName: id.DisplayName, Type: "user", AvatarURL: orNil(id.AvatarLink)}
		if id.Group {
			views[i].Type = "group"
		}
	}
	return views
}

func viewProvider(c webconferencing.ProviderConfig) providerView {
	v := providerView{
		Type: c.Type, Title: c.Title, Description: c.Description, Active: c.Active, LogEnabled: c.LogEnabled,
		SupportedTypes: c.SupportedTypes, Groups: c.Groups, Version: c.Version,
		OneToOne: c.OneToOne, MaxParties: c.MaxParties, Features: c.Features,
	}
	if v.SupportedTypes == nil {
		v.SupportedTypes = []string{}
	}
	if v.Features == nil {
		v.Features = []string{}
	}
	return v
}

func viewProviders(list []webconferencing.ProviderConfig) []providerView {
	views := make([]providerView, len(list))
	for i, c := range list {
		views[i] = viewProvider(c)
	}
	return views
}
