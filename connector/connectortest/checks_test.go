package connectortest

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/webconferencing/webconferencing"
)

// A provider that is wrong in one way, on top of one that is right.
type wrong struct {
	*Simulated
	info    func() webconferencing.ProviderInfo
	prepare func(ctx context.Context) (webconferencing.Meeting, error)
	join    func(r webconferencing.JoinRequest) (*webconferencing.Grant, error)
	end     func() error
	probe   func(ctx context.Context) ([]webconferencing.Attendee, error)
	webhook func() (*webconferencing.WebhookReply, error)
	module  fs.FS
	parse   bool
	account bool
	schema  []webconferencing.Setting
	check   func() (webconferencing.Diagnosis, error)
	actions bool
}

func (w *wrong) Info() webconferencing.ProviderInfo {
	if w.info != nil {
		return w.info()
	}
	return w.Simulated.Info()
}

func (w *wrong) Prepare(ctx context.Context, c *webconferencing.Call) (webconferencing.Meeting, error) {
	if w.prepare != nil {
		return w.prepare(ctx)
	}
	return w.Simulated.Prepare(ctx, c)
}

func (w *wrong) Join(ctx context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	if w.join != nil {
		return w.join(r)
	}
	return w.Simulated.Join(ctx, r)
}

func (w *wrong) EndMeeting(ctx context.Context, r webconferencing.MeetingRequest) error {
	if w.end != nil {
		return w.end()
	}
	return w.Simulated.EndMeeting(ctx, r)
}

func (w *wrong) Probe(ctx context.Context, r webconferencing.MeetingRequest) ([]webconferencing.Attendee, error) {
	if w.probe != nil {
		return w.probe(ctx)
	}
	return w.Simulated.Probe(ctx, r)
}

func (w *wrong) Webhook(ctx context.Context, r webconferencing.WebhookRequest) (*webconferencing.WebhookReply, error) {
	if w.webhook != nil {
		return w.webhook()
	}
	return w.Simulated.Webhook(ctx, r)
}

func (w *wrong) ClientModule() (string, fs.FS) {
	if w.module != nil {
		return "main.js", w.module
	}
	return w.Simulated.ClientModule()
}

func (w *wrong) ParseURL(link string) (string, bool) {
	if w.parse {
		return link, true
	}
	return w.Simulated.ParseURL(link)
}

func (w *wrong) CheckAccount(ctx context.Context, typ, account string) (string, error) {
	if w.account {
		return account, nil
	}
	return w.Simulated.CheckAccount(ctx, typ, account)
}

func (w *wrong) Settings() []webconferencing.Setting {
	if w.schema != nil {
		return w.schema
	}
	return w.Simulated.Settings()
}

func (w *wrong) Check(ctx context.Context) (webconferencing.Diagnosis, error) {
	if w.check != nil {
		return w.check()
	}
	return w.Simulated.Check(ctx)
}

func (w *wrong) Moderate(ctx context.Context, r webconferencing.ModerationRequest) error {
	if w.actions {
		return nil
	}
	return w.Simulated.Moderate(ctx, r)
}

func (w *wrong) AccountTypes() []webconferencing.AccountType { return w.Simulated.AccountTypes() }

func file(text string) fs.FS { return fstest.MapFS{"main.js": {Data: []byte(text)}} }

// TestChecksFindFaults shows that each check can fail.
func TestChecksFindFaults(t *testing.T) {
	var n atomic.Int64
	grant := func(g webconferencing.Grant) func(webconferencing.JoinRequest) (*webconferencing.Grant, error) {
		return func(webconferencing.JoinRequest) (*webconferencing.Grant, error) { return &g, nil }
	}
	for name, test := range map[string]struct {
		check string
		p     *wrong
	}{
		"bad type": {"describes itself", &wrong{info: func() webconferencing.ProviderInfo { return webconferencing.ProviderInfo{Type: "Bad Type", Title: "x"} }}},
		"no title": {"describes itself", &wrong{info: func() webconferencing.ProviderInfo { return webconferencing.ProviderInfo{Type: "x"} }}},
		"room for one": {"describes itself", &wrong{info: func() webconferencing.ProviderInfo {
			return webconferencing.ProviderInfo{Type: "x", Title: "x", MaxParties: 1}
		}}},
		"no title for setting": {"settings are sound", &wrong{schema: []webconferencing.Setting{{Key: "x", Type: webconferencing.SettingText}}}},
		"service refuses":      {"a service takes it", &wrong{schema: []webconferencing.Setting{{Key: "x", Type: "colour", Title: "x"}}}},
		"never the same meeting": {"prepares the same meeting again", &wrong{prepare: func(context.Context) (webconferencing.Meeting, error) {
			return webconferencing.Meeting{Data: []byte{'0' + byte(n.Add(1)%10)}}, nil
		}}},
		"meeting that is over": {"prepares the same meeting again", &wrong{prepare: func(context.Context) (webconferencing.Meeting, error) {
			return webconferencing.Meeting{Expires: time.Unix(1, 0)}, nil
		}}},
		"same token":        {"grants each device its own way in", &wrong{join: grant(webconferencing.Grant{Token: "x"})}},
		"script as address": {"grants each device its own way in", &wrong{join: grant(webconferencing.Grant{URL: "javascript:alert(1)"})}},
		"expired grant":     {"grants each device its own way in", &wrong{join: grant(webconferencing.Grant{Expires: time.Unix(1, 0)})}},
		"unescaped name": {"names of people do no harm", &wrong{join: func(r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
			return &webconferencing.Grant{URL: "https://meet.example/" + r.Call.Title}, nil
		}}},
		"panics without user": {"names of people do no harm", &wrong{join: func(r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
			return &webconferencing.Grant{Token: r.User.FirstName[:0] + "x"}, nil
		}}},
		"can't end twice": {"ends what is already gone", &wrong{end: func() error { return errors.New("gone") }}},
		"ghosts": {"probes and lists without a meeting", &wrong{probe: func(context.Context) ([]webconferencing.Attendee, error) {
			return make([]webconferencing.Attendee, 1), nil
		}}},
		"moderates anything": {"refuses what it does not know", &wrong{actions: true}},
		"deaf": {"gives up when its context ends", &wrong{probe: func(context.Context) ([]webconferencing.Attendee, error) {
			time.Sleep(200 * time.Millisecond)
			return nil, nil
		}}},
		"secret in an error":     {"keeps its secrets", &wrong{check: func() (webconferencing.Diagnosis, error) { return webconferencing.Diagnosis{}, errors.New("hush") }}},
		"secret in a diagnosis":  {"keeps its secrets", &wrong{check: func() (webconferencing.Diagnosis, error) { return webconferencing.Diagnosis{Problem: "hush"}, nil }}},
		"no export":              {"brings its browser module", &wrong{module: file("const a = 1;")}},
		"missing file":           {"brings its browser module", &wrong{module: file("import \"./other.js\";\nexport default 1;")}},
		"import of a package":    {"brings its browser module", &wrong{module: file("import x from \"jquery\";\nexport default 1;")}},
		"import from elsewhere":  {"brings its browser module", &wrong{module: file("export * from \"https://cdn.example/x.js\";")}},
		"believes anybody":       {"refuses webhooks of strangers", &wrong{webhook: func() (*webconferencing.WebhookReply, error) { return &webconferencing.WebhookReply{}, nil }}},
		"refuses with any error": {"refuses webhooks of strangers", &wrong{webhook: func() (*webconferencing.WebhookReply, error) { return nil, errors.New("no") }}},
		"knows every link":       {"parses links", &wrong{parse: true}},
		"takes any account":      {"checks accounts", &wrong{account: true}},
	} {
		t.Run(name, func(t *testing.T) {
			test.p.Simulated = NewSimulated(nil)
			o := &Options{Secrets: []string{"hush"}, Patience: 20 * time.Millisecond, Unsigned: strangeRequests()}
			for _, c := range checks() {
				if c.name == test.check {
					if err := c.guarded(t.Context(), test.p, o); err == nil {
						t.Error("was not found")
					}
					return
				}
			}
			t.Errorf("there is no check %q", test.check)
		})
	}
}

// TestBareProvider shows that describing itself is enough.
func TestBareProvider(t *testing.T) {
	Run(t, func() webconferencing.Provider { return bare{} }, nil)
}

type bare struct{}

func (bare) Info() webconferencing.ProviderInfo {
	return webconferencing.ProviderInfo{Type: "bare", Title: "Bare"}
}
