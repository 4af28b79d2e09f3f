package webconferencing

import (
	"context"
	"io/fs"
	"time"
)

// Provider is a connector to whatever carries the media. Describing itself is
// all it must do; everything else is an optional capability that it has by
// implementing one of these interfaces as well:
//
//   - [Joiner] hands each device what it needs to join. A provider whose
//     browser module finds its way alone does not need it.
//   - [ClientConfigurer] gives the browser module its settings.
//   - [ClientModule] brings the browser module itself.
//
// More capabilities let it take part in the life of a call: [Preparer],
// [Updater], [Ender], [Moderator], [Prober], [WebhookReceiver], [Checker],
// [CallObserver], [Recorder], [AvailabilitySource], [Telephone],
// [AccountConnector], [URLParser], [InfoPanel], [AccountTyper],
// [PolicySource] and [Configurable].
//
// Methods may be called concurrently and have [Options].CallbackTimeout.
type Provider interface {
	// Info describes the provider. It is asked once, by [New].
	Info() ProviderInfo
}

// ProviderInfo describes a [Provider].
type ProviderInfo struct {
	// Type names the provider: 1 to 32 lower-case letters, digits and "_".
	Type string
	// SupportedTypes are further types that calls of this provider may have.
	// Type itself is always among them.
	SupportedTypes []string
	// Title is the provider's name for people.
	Title string
	// Descriptions are sentences for administrators by language; "en" is
	// used for languages that are missing.
	Descriptions map[string]string
	Version      string
	// Groups tells that calls of spaces and rooms are possible.
	Groups bool
	// GroupsOnly tells that calls between two users are not.
	GroupsOnly bool
	// MaxParties is how many people can be in one call. Defaults to what the
	// service allows.
	MaxParties int
	// Inactive makes the provider wait until an administrator switches it on.
	Inactive bool
	// NoLog keeps the browser module's log out of the server's.
	NoLog bool
}

// Joiner is a [Provider] that grants each device its way into the call.
type Joiner interface {
	// Join returns what the device needs. The grant should be good for this
	// person, device and call only, and for minutes.
	Join(ctx context.Context, r JoinRequest) (*Grant, error)
}

// JoinRequest says who joins which call.
type JoinRequest struct {
	Call  *Call
	User  *User // nil for a guest whom the directory does not know
	Actor Actor
	Seat  SeatRef
	// Meeting is what [Preparer].Prepare returned for this run.
	Meeting Meeting
	// Moderator tells that the person may control the call: whoever started
	// it or owns it, a manager of its group, an administrator.
	Moderator bool
}

// Grant is what a provider hands out to one device. It goes to that device
// alone.
type Grant struct {
	URL      string         // where to go or what to embed
	Token    string         // to be presented there
	Settings map[string]any // for the browser module; becomes JSON
	Expires  time.Time      // zero if it does not
}

// ClientConfigurer is a [Provider] whose browser module needs settings from
// the server, such as the addresses of relays.
type ClientConfigurer interface {
	// ClientSettings returns the settings for one user's browsers; they
	// become JSON. Secrets in them should be short-lived.
	ClientSettings(ctx context.Context, by Actor) (map[string]any, error)
}

// ClientModule is a [Provider] that brings its browser module along.
type ClientModule interface {
	// ClientModule returns the module's files and the name of the one to
	// import. Files are served as they are, to anybody.
	ClientModule() (entry string, files fs.FS)
}
