package httpapi

import (
	"context"
	"net/http"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/internal/wire"
)

// providerRoutes are the resources by which providers are administered and
// chosen.
func (a *API) providerRoutes() []route {
	const get, put = http.MethodGet, http.MethodPut
	return []route{
		{get, "provider/{type}/settings-form", forAdmins, noBody, a.getSettingsForm},
		{put, "provider/{type}/settings-form", forAdmins, jsonBody, a.putSettingsForm},
		{get, "provider/{type}/changes", forAdmins, noBody, a.getProviderChanges},
		{get, "provider/{type}/check", forAdmins, noBody, a.getProviderCheck},
		{get, "providers/default", forUsers, noBody, a.getProviderChoice},
		{put, "providers/default", forAdmins, jsonBody, a.putProviderChoice},
		{get, "providers/for/{ownerType}/{id}", forUsers, noBody, a.getProviderChoice},
		{put, "providers/for/{ownerType}/{id}", forUsers, jsonBody, a.putProviderChoice},
	}
}

type settingsFormView struct {
	Type     string        `json:"type"`
	Revision uint64        `json:"revision"`
	Settings []settingView `json:"settings"`
}

type settingView struct {
	Key      string   `json:"key"`
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Help     string   `json:"help"`
	Default  string   `json:"default"`
	Required bool     `json:"required"`
	Choices  []string `json:"choices"`
	Min      int64    `json:"min"`
	Max      int64    `json:"max"`
	Value    string   `json:"value"` // always "" for a secret
	IsSet    bool     `json:"isSet"`
}

func viewSettingsForm(typ string, s webconferencing.ProviderSettings) settingsFormView {
	v := settingsFormView{Type: typ, Revision: s.Revision, Settings: make([]settingView, 0, len(s.Settings))}
	for _, set := range s.Settings {
		one := settingView{
			Key: set.Key, Type: string(set.Type), Title: set.Title, Help: set.Help, Default: set.Default, Required: set.Required,
			Choices: set.Choices, Min: set.Min, Max: set.Max, Value: set.Value, IsSet: set.Set,
		}
		if one.Choices == nil {
			one.Choices = []string{}
		}
		v.Settings = append(v.Settings, one)
	}
	return v
}

func (a *API) getSettingsForm(ctx context.Context, q *request) (any, error) {
	s, err := a.svc.Providers().Settings(ctx, q.by, q.params["type"])
	if err != nil {
		return nil, err
	}
	return viewSettingsForm(q.params["type"], s), nil
}

// putSettingsForm takes {"values":{key: text or null for the default},
// "revision"}; keys that are left out stay.
func (a *API) putSettingsForm(ctx context.Context, q *request) (any, error) {
	change := webconferencing.SettingChange{Values: make(map[string]*string)}
	values := q.body.object("values")
	if q.body.has("revision") {
		revision := q.body.number("revision")
		change.IfRevision = &revision
	}
	if values == nil {
		q.body.fail("values", "is missing")
	}
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	for _, m := range values.obj {
		text, ok := stringOf(m.Value)
		switch {
		case wire.IsNull(m.Value):
			change.Values[m.Name] = nil
		case ok:
			change.Values[m.Name] = &text
		default:
			return nil, invalid("values", "must be text or null")
		}
	}
	s, err := a.svc.Providers().Configure(ctx, q.by, q.params["type"], change)
	if err != nil {
		return nil, err
	}
	return viewSettingsForm(q.params["type"], s), nil
}

type providerChangeView struct {
	Time   wireTime `json:"time"`
	User   string   `json:"user"`
	Keys   []string `json:"keys"`
	Active *bool    `json:"active"`
}

func (a *API) getProviderChanges(ctx context.Context, q *request) (any, error) {
	list, err := a.svc.Providers().Changes(ctx, q.by, q.params["type"])
	if err != nil {
		return nil, err
	}
	views := make([]providerChangeView, 0, len(list))
	for _, c := range list {
		v := providerChangeView{Time: wireTime(c.Time), User: string(c.User), Keys: c.Keys, Active: c.Active}
		if v.Keys == nil {
			v.Keys = []string{}
		}
		views = append(views, v)
	}
	return views, nil
}

type diagnosisView struct {
	Ready   bool              `json:"ready"`
	Problem string            `json:"problem"`
	Details map[string]string `json:"details"`
}

func (a *API) getProviderCheck(ctx context.Context, q *request) (any, error) {
	d, err := a.svc.Providers().Diagnose(ctx, q.by, q.params["type"])
	if err != nil {
		return nil, err
	}
	v := diagnosisView{Ready: d.Ready, Problem: d.Problem, Details: d.Details}
	if v.Details == nil {
		v.Details = map[string]string{}
	}
	return v, nil
}

type choiceView struct {
	Providers []providerView `json:"providers"`
	Own       []string       `json:"own"` // null inherits
	Inherited bool           `json:"inherited"`
	Limited   bool           `json:"limited"`
}

// place is the group that a request is about; the zero Ref is the portal.
func (q *request) place() webconferencing.Ref {
	return webconferencing.Ref{Type: webconferencing.OwnerType(q.params["ownerType"]), ID: q.params["id"]}
}

func (a *API) getProviderChoice(ctx context.Context, q *request) (any, error) {
	c, err := a.svc.Providers().ProvidersFor(ctx, q.by, q.place(), q.language())
	if err != nil {
		return nil, err
	}
	return choiceView{Providers: viewProviders(c.Providers), Own: c.Own, Inherited: c.Own == nil, Limited: c.Limited}, nil
}

// putProviderChoice takes {"providers": types, or null to inherit}.
func (a *API) putProviderChoice(ctx context.Context, q *request) (any, error) {
	types := q.body.list("providers")
	given := false
	for _, m := range q.body.obj {
		given = given || m.Name == "providers"
	}
	if !given {
		q.body.fail("providers", "is missing")
	}
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	if err := a.svc.Providers().SetSpaceProviders(ctx, q.by, q.place(), types); err != nil {
		return nil, err
	}
	return a.getProviderChoice(ctx, q)
}
