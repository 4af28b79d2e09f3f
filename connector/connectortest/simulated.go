package connectortest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/webconferencing/webconferencing"
)

// SimulatedOptions of a [Simulated]. Nil means all defaults.
type SimulatedOptions struct {
	// Type of the provider. Defaults to "simulated".
	Type string
	// Secret signs the webhooks. Defaults to a fixed one.
	Secret string
	// MaxParties as in [webconferencing.ProviderInfo]. Defaults to no limit.
	MaxParties int
}

// Simulated is a provider with every capability and its server in one, in
// memory. What its server does can be made slow, wrong or silent, see
// [Simulated.Behave]; what it reports can be lost, doubled and late, see
// [Simulated.Deliver]. Its methods may be called concurrently.
type Simulated struct {
	opts SimulatedOptions

	mu       sync.Mutex
	behave   Behaviour
	meetings map[string]*room
	outbox   []webconferencing.WebhookRequest
	serial   int
	calls    map[string]int
	seen     []webconferencing.Event
	values   map[string]string
	prepares int
}

// Behaviour is how a [Simulated] answers. The zero value is faultless.
type Behaviour struct {
	// Delay is how long each operation takes, unless its context ends.
	Delay time.Duration
	// Hang makes operations ignore their contexts while they take Delay.
	Hang bool
	// Err is returned by every operation.
	Err error
	// Panic makes every operation panic.
	Panic bool
	// Only limits all of this to the operations named, such as "Probe".
	// Defaults to all.
	Only []string
	// Lie changes the answer to a probe. Defaults to the truth.
	Lie func([]webconferencing.Attendee) []webconferencing.Attendee
}

// room is a meeting on the simulated server.
type room struct {
	id      string
	call    webconferencing.CallID
	epoch   uint64
	title   string
	ended   bool
	inside  map[string]webconferencing.Attendee
	records []webconferencing.Recording
}

// NewSimulated returns a provider without meetings.
func NewSimulated(opts *SimulatedOptions) *Simulated {
	var o SimulatedOptions
	if opts != nil {
		o = *opts
	}
	o.Type, o.Secret = cmp.Or(o.Type, "simulated"), cmp.Or(o.Secret, "a secret of the simulation")
	return &Simulated{opts: o, meetings: make(map[string]*room), calls: make(map[string]int), values: map[string]string{"title": "Simulated"}}
}

// Behave changes how the provider answers from now on.
func (s *Simulated) Behave(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behave = b
}

// Calls returns how often an operation was asked for, such as "Prepare".
func (s *Simulated) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

// Observed returns the events that the provider was told of.
func (s *Simulated) Observed() []webconferencing.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// Open returns how many meetings are open.
func (s *Simulated) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.meetings {
		if !r.ended {
			n++
		}
	}
	return n
}

// Title returns the title of the meeting of a run, "" if there is none.
func (s *Simulated) Title(call webconferencing.CallID, epoch uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.meetings[roomKey(call, epoch)]; r != nil {
		return r.title
	}
	return ""
}

// Value returns a setting as it holds.
func (s *Simulated) Value(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// do is the way into every operation: it counts and misbehaves.
func (s *Simulated) do(ctx context.Context, operation string) error {
	s.mu.Lock()
	s.calls[operation]++
	b := s.behave
	s.mu.Unlock()
	if len(b.Only) > 0 && !slices.Contains(b.Only, operation) {
		return ctx.Err()
	}
	if b.Delay > 0 {
		timer := time.NewTimer(b.Delay)
		defer timer.Stop()
		if b.Hang {
			<-timer.C
		} else {
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
	}
	if b.Panic {
		panic("simulated panic in " + operation)
	}
	if b.Err != nil {
		return b.Err
	}
	return ctx.Err()
}

func roomKey(call webconferencing.CallID, epoch uint64) string {
	return fmt.Sprintf("%s %d", call, epoch)
}

// Info implements [webconferencing.Provider].
func (s *Simulated) Info() webconferencing.ProviderInfo {
	return webconferencing.ProviderInfo{
		Type: s.opts.Type, Title: "Simulated", Version: "1", Groups: true, MaxParties: s.opts.MaxParties,
		Descriptions: map[string]string{"en": "A provider for tests."},
	}
}

type roomData struct {
	Room string `json:"room"`
}

// Prepare implements [webconferencing.Preparer].
func (s *Simulated) Prepare(ctx context.Context, c *webconferencing.Call) (webconferencing.Meeting, error) {
	if err := s.do(ctx, "Prepare"); err != nil {
		return webconferencing.Meeting{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.meetings[roomKey(c.ID, c.Epoch)]
	if r == nil {
		s.prepares++
		r = &room{
			id: fmt.Sprintf("room-%d", s.prepares), call: c.ID, epoch: c.Epoch, title: c.Title,
			inside: make(map[string]webconferencing.Attendee),
		}
		s.meetings[roomKey(c.ID, c.Epoch)] = r
	}
	data, err := json.Marshal(roomData{r.id})
	return webconferencing.Meeting{Data: data}, err
}

// Join implements [webconferencing.Joiner].
func (s *Simulated) Join(ctx context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	if err := s.do(ctx, "Join"); err != nil {
		return nil, err
	}
	var data roomData
	if err := json.Unmarshal(r.Meeting.Data, &data); err != nil || data.Room == "" {
		return nil, errors.New("simulated: no meeting was prepared")
	}
	return &webconferencing.Grant{
		URL:      "https://meet.example/" + url.PathEscape(data.Room),
		Token:    "token-" + string(r.Seat.Seat),
		Settings: map[string]any{"moderator": r.Moderator, "title": s.Value("title")},
		Expires:  time.Now().Add(time.Minute),
	}, nil
}

// UpdateMeeting implements [webconferencing.Updater].
func (s *Simulated) UpdateMeeting(ctx context.Context, r webconferencing.MeetingRequest) (webconferencing.Meeting, error) {
	if err := s.do(ctx, "UpdateMeeting"); err != nil {
		return webconferencing.Meeting{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]; m != nil {
		m.title = r.Call.Title
	}
	return r.Meeting, nil
}

// EndMeeting implements [webconferencing.Ender].
func (s *Simulated) EndMeeting(ctx context.Context, r webconferencing.MeetingRequest) error {
	if err := s.do(ctx, "EndMeeting"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]; m != nil {
		m.ended = true
		clear(m.inside)
	}
	return nil
}

// ModerationActions implements [webconferencing.Moderator].
func (s *Simulated) ModerationActions() []webconferencing.ModerationAction {
	return []webconferencing.ModerationAction{webconferencing.ModerateRemove, webconferencing.ModerateMute}
}

// Moderate implements [webconferencing.Moderator].
func (s *Simulated) Moderate(ctx context.Context, r webconferencing.ModerationRequest) error {
	if err := s.do(ctx, "Moderate"); err != nil {
		return err
	}
	if !slices.Contains(s.ModerationActions(), r.Action) {
		return &webconferencing.Error{Code: webconferencing.CodeUnsupported, Message: "this can't be done"}
	}
	return nil
}

// Probe implements [webconferencing.Prober].
func (s *Simulated) Probe(ctx context.Context, r webconferencing.MeetingRequest) ([]webconferencing.Attendee, error) {
	if err := s.do(ctx, "Probe"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []webconferencing.Attendee
	if m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]; m != nil {
		list = slices.Collect(maps.Values(m.inside))
	}
	if s.behave.Lie != nil {
		list = s.behave.Lie(list)
	}
	return list, nil
}

// CallChanged implements [webconferencing.CallObserver].
func (s *Simulated) CallChanged(ctx context.Context, e *webconferencing.Event) error {
	if err := s.do(ctx, "CallChanged"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, *e)
	return nil
}

// Check implements [webconferencing.Checker].
func (s *Simulated) Check(ctx context.Context) (webconferencing.Diagnosis, error) {
	if err := s.do(ctx, "Check"); err != nil {
		return webconferencing.Diagnosis{}, err
	}
	return webconferencing.Diagnosis{Ready: true, Details: map[string]string{"version": "1"}}, nil
}

// Settings implements [webconferencing.Configurable].
func (s *Simulated) Settings() []webconferencing.Setting {
	return []webconferencing.Setting{
		{Key: "title", Type: webconferencing.SettingText, Title: "Title", Default: "Simulated", Required: true},
		{Key: "api_secret", Type: webconferencing.SettingSecret, Title: "Secret"},
		{Key: "size", Type: webconferencing.SettingNumber, Title: "Size", Default: "4", Min: 2, Max: 16},
		{Key: "quality", Type: webconferencing.SettingChoice, Title: "Quality", Default: "low", Choices: []string{"low", "high"}},
		{Key: "server", Type: webconferencing.SettingURL, Title: "Server"},
		{Key: "lobby", Type: webconferencing.SettingBool, Title: "Lobby", Default: "false"},
	}
}

// Configure implements [webconferencing.Configurable]. The title "refuse me" is
// refused.
func (s *Simulated) Configure(ctx context.Context, values map[string]string) error {
	if err := s.do(ctx, "Configure"); err != nil {
		return err
	}
	switch values["title"] {
	case "":
		return &webconferencing.Error{Code: webconferencing.CodeInvalid, Field: "title", Message: "title is required"}
	case "refuse me":
		return fmt.Errorf("the server does not like %v", values)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = maps.Clone(values)
	return nil
}

// AccountTypes implements [webconferencing.AccountTyper].
func (s *Simulated) AccountTypes() []webconferencing.AccountType {
	return []webconferencing.AccountType{{Type: s.opts.Type, Title: "Simulated"}}
}

// CheckAccount implements [webconferencing.AccountTyper]. Accounts are words in
// lower case.
func (s *Simulated) CheckAccount(ctx context.Context, typ, account string) (string, error) {
	if err := s.do(ctx, "CheckAccount"); err != nil {
		return "", err
	}
	account = strings.ToLower(account)
	if typ != s.opts.Type || account == "" || strings.Trim(account, "abcdefghijklmnopqrstuvwxyz.") != "" {
		return "", errors.New("accounts are words of letters")
	}
	return account, nil
}

// ParseURL implements [webconferencing.URLParser].
func (s *Simulated) ParseURL(link string) (string, bool) {
	return strings.CutPrefix(link, "https://meet.example/")
}

// ClientPolicy implements [webconferencing.PolicySource].
func (s *Simulated) ClientPolicy() webconferencing.ClientPolicy {
	return webconferencing.ClientPolicy{
		Sources:     map[string][]string{"frame-src": {"https://meet.example"}},
		Permissions: []string{"camera", "microphone"}, Features: []string{"screen"},
	}
}

// ClientModule implements [webconferencing.ClientModule].
func (s *Simulated) ClientModule() (string, fs.FS) {
	return "simulated.js", fstest.MapFS{
		"simulated.js": {Data: []byte("import { type } from \"./type.js\";\nexport const createProvider = () => ({ getType: () => type });\n")},
		"type.js":      {Data: []byte("export const type = \"simulated\";\n")},
	}
}
