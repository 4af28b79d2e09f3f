package webconferencing

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"
)

// The capabilities in this file let a [Provider] take part in the life of a
// call, beyond handing out the way in. All are optional. A provider that lacks
// one is never asked for it, and the library offers users only what is there.

// Meeting is what a provider made for one run of a call: its own data, kept in
// the store beside the call and handed back whenever the provider is asked
// about the run again. The zero value is a meeting of a provider that needs no
// preparation.
type Meeting struct {
	// Data is a JSON object of at most 16 KiB, opaque to the library. It is
	// never shown to users.
	Data json.RawMessage `json:"data,omitempty"`
	// Expires is when the provider forgets the meeting; zero if it doesn't.
	Expires time.Time `json:"expires,omitzero"`
}

// MeetingRequest names the run of a call about which a provider is asked.
type MeetingRequest struct {
	Call    *Call
	Meeting Meeting
}

// Preparer is a [Provider] that has to make a meeting before people can join.
type Preparer interface {
	// Prepare makes the meeting of a run, known by the call's id and epoch. It
	// may be asked more than once for the same run, also by several nodes at
	// once, and has to answer with the same meeting.
	Prepare(ctx context.Context, c *Call) (Meeting, error)
}

// Updater is a [Provider] whose meeting follows the call's title, schedule and
// participants in place, without a new link.
type Updater interface {
	// UpdateMeeting is called after the call changed.
	UpdateMeeting(ctx context.Context, r MeetingRequest) (Meeting, error)
}

// Ender is a [Provider] that can close a meeting for everybody.
type Ender interface {
	// EndMeeting is called after the run was over. To end what is already
	// gone is no error.
	EndMeeting(ctx context.Context, r MeetingRequest) error
}

// ModerationAction is what a moderator does to somebody inside.
type ModerationAction string

// The actions of a [Moderator].
const (
	ModerateRemove  ModerationAction = "remove"
	ModerateMute    ModerationAction = "mute"
	ModeratePromote ModerationAction = "promote" // to moderator
	ModerateDemote  ModerationAction = "demote"
	ModerateAdmit   ModerationAction = "admit" // from the lobby
	ModerateReject  ModerationAction = "reject"
)

// ModerationRequest asks a [Moderator] to act on a person, or on one of the
// person's seats.
type ModerationRequest struct {
	MeetingRequest
	Action ModerationAction
	User   UserID
	Seat   SeatID // "" for all of the person's devices
}

// Moderator is a [Provider] that has control over people inside.
type Moderator interface {
	// ModerationActions are the actions that the provider can do.
	ModerationActions() []ModerationAction
	Moderate(ctx context.Context, r ModerationRequest) error
}

// Attendee is one connection to a meeting, as the provider sees it.
type Attendee struct {
	// Connection is the provider's own name of the connection.
	Connection string
	// User and Seat are whose connection it is, as far as the provider knows;
	// a provider learns the seat from [JoinRequest].
	User   UserID
	Seat   SeatID
	Name   string
	Joined time.Time // zero if not known
}

// Prober is a [Provider] that can tell who is inside a meeting.
type Prober interface {
	// Probe lists all connections. An error means "not known" and changes
	// nothing; an empty list means that the meeting is empty or gone.
	Probe(ctx context.Context, r MeetingRequest) ([]Attendee, error)
}

// EvidenceType says what a provider saw.
type EvidenceType string

// The types of an [Evidence].
const (
	EvidenceJoined    EvidenceType = "joined"
	EvidenceLeft      EvidenceType = "left"
	EvidenceEnded     EvidenceType = "ended"     // the meeting is over for all
	EvidenceRecording EvidenceType = "recording" // a recording became available
)

// Evidence is one thing that a provider saw, in the library's words. Evidence
// is a hint: it may come late, twice, out of order or not at all. What says
// that somebody is gone shortens the lease of the seat rather than removing it,
// and another connection of the same seat makes it void. Order is told by the
// connection, which joins once and leaves once, and not by the arrival.
type Evidence struct {
	// Key tells one piece of evidence from another; a second one with the
	// same key is dropped. "" is never dropped.
	Key  string
	Type EvidenceType
	Call CallID
	// Epoch is the run that was seen; 0 stands for the present one, for
	// providers that can't tell.
	Epoch uint64
	Attendee
	Time time.Time // by the provider's clock; zero if not known
}

// WebhookRequest is a request that a provider's server made.
type WebhookRequest struct {
	Method string
	// Path is what follows the provider's webhook address, without a leading
	// slash.
	Path   string
	Query  map[string][]string
	Header map[string][]string // names in canonical form
	Body   []byte              // at most 1 MiB
	Remote netip.Addr
}

// WebhookReply answers a [WebhookRequest].
type WebhookReply struct {
	Status      int // zero is 200, or 204 without a body
	ContentType string
	Body        []byte
	// Evidence is taken in before the answer goes out; if that fails the
	// provider's server is told to try again.
	Evidence []Evidence
}

// WebhookReceiver is a [Provider] whose server reports what happens.
type WebhookReceiver interface {
	// Webhook checks that the request is authentic and translates it. An
	// *[Error] with [CodeDenied] refuses it; nothing else of it is then used.
	Webhook(ctx context.Context, r WebhookRequest) (*WebhookReply, error)
}

// Diagnosis is the outcome of a [Checker]'s look at its provider.
type Diagnosis struct {
	Ready bool
	// Problem says in a sentence for administrators what is wrong; "" if
	// nothing is. It must not hold secrets.
	Problem string
	// Details are further findings by name, such as the server's version.
	Details map[string]string
}

// Checker is a [Provider] that can tell whether it is ready for use.
type Checker interface {
	// Check looks at the live provider. An error is shown as a problem.
	Check(ctx context.Context) (Diagnosis, error)
}

// CallObserver is a [Provider] that is told of its calls' transitions, in
// order and at least once, from the journal.
type CallObserver interface {
	CallChanged(ctx context.Context, e *Event) error
}

// Recording is a recording of a meeting.
type Recording struct {
	ID       string
	Title    string
	URL      string // for the person who asked; "" while it is being made
	Started  time.Time
	Length   time.Duration
	Finished bool
}

// Recorder is a [Provider] that records meetings.
type Recorder interface {
	StartRecording(ctx context.Context, r MeetingRequest, by Actor) error
	StopRecording(ctx context.Context, r MeetingRequest, by Actor) error
	Recordings(ctx context.Context, r MeetingRequest, by Actor) ([]Recording, error)
	DeleteRecording(ctx context.Context, r MeetingRequest, by Actor, id string) error
}

// Interval is a span of time, the end not included.
type Interval struct {
	From, To time.Time
}

// AvailabilitySource is a [Provider] that knows when its users are busy.
type AvailabilitySource interface {
	Busy(ctx context.Context, user UserID, within Interval) ([]Interval, error)
}

// PhoneNumber is a way into a meeting by telephone.
type PhoneNumber struct {
	Country string // ISO 3166-1 alpha-2
	Number  string // E.164
	PIN     string
	Title   string
}

// Telephone is a [Provider] with telephone access.
type Telephone interface {
	PhoneNumbers(ctx context.Context, r MeetingRequest) ([]PhoneNumber, error)
	// DialOut calls a number (E.164) and brings it into the meeting.
	DialOut(ctx context.Context, r MeetingRequest, by Actor, number string) error
}

// AccountConnector is a [Provider] that acts in the name of users who have
// connected their accounts, as with OAuth 2.0 (RFC 6749).
type AccountConnector interface {
	// ConnectAccount returns the address at which the user's browser begins.
	// The browser comes back to redirect with state among its parameters;
	// state is random, good once, for this user and a few minutes.
	ConnectAccount(ctx context.Context, by Actor, redirect, state string) (string, error)
	// FinishAccount ends it with the parameters that came back, whose state
	// has been checked. The returned credential is kept in the store and
	// handed out by [Service.Credential].
	FinishAccount(ctx context.Context, by Actor, redirect string, params map[string][]string) (Credential, error)
	// RevokeAccount takes it back at the provider.
	RevokeAccount(ctx context.Context, by Actor, c Credential) error
}

// Credential is a secret of one user at a provider.
type Credential struct {
	Data    json.RawMessage `json:"data"` // at most 16 KiB, never shown
	Expires time.Time       `json:"expires,omitzero"`
}

// URLParser is a [Provider] that recognises its own links.
type URLParser interface {
	// ParseURL returns the room of a link, or ok false if it is not one of
	// this provider's.
	ParseURL(link string) (room string, ok bool)
}

// InfoItem is a line of a call's info panel.
type InfoItem struct {
	Title string
	Text  string
	URL   string // http or https; "" for text alone
}

// InfoPanel is a [Provider] with more to say about a meeting.
type InfoPanel interface {
	InfoItems(ctx context.Context, r MeetingRequest, by Actor) ([]InfoItem, error)
}

// AccountType is a kind of instant messaging account that users may have in
// their profiles, such as "skype".
type AccountType struct {
	Type  string // as [ProviderInfo].Type
	Title string
}

// AccountTyper is a [Provider] that brings account types along.
type AccountTyper interface {
	AccountTypes() []AccountType
	// CheckAccount returns the account in its normal form, or an error with a
	// sentence for the user.
	CheckAccount(ctx context.Context, typ, account string) (string, error)
}

// ClientPolicy says what a page must allow for a provider's browser module.
type ClientPolicy struct {
	// Sources by CSP directive, such as "frame-src": {"https://meet.example"}.
	Sources map[string][]string
	// Permissions for its frames, such as "camera".
	Permissions []string
	// Features of the module, such as "screen", that a button may offer. They
	// are asked once, by [New].
	Features []string
}

// PolicySource is a [Provider] whose browser module needs the page's leave.
type PolicySource interface {
	ClientPolicy() ClientPolicy
}

// SettingType says how a [Setting] is entered.
type SettingType string

// The types of a [Setting].
const (
	SettingText    SettingType = "text"
	SettingURL     SettingType = "url"
	SettingNumber  SettingType = "number"
	SettingBool    SettingType = "bool"
	SettingSecret  SettingType = "secret" // can be written, never read
	SettingChoice  SettingType = "choice"
	SettingSeconds SettingType = "seconds"
)

// Setting is one thing of a provider that an administrator may change.
type Setting struct {
	Key      string // 1 to 64 lower-case letters, digits, "-" and "_"
	Type     SettingType
	Title    string
	Help     string
	Default  string
	Required bool
	Choices  []string // of a choice
	Min, Max int64    // of a number or seconds; both 0 for no limits
}

// Configurable is a [Provider] with settings for administrators.
type Configurable interface {
	// Settings is the schema. It is asked once, by [New].
	Settings() []Setting
	// Configure checks values and makes them hold for what comes next. Keys
	// are those of the schema, defaults filled in. On an error everything
	// stays as it was.
	Configure(ctx context.Context, values map[string]string) error
}
