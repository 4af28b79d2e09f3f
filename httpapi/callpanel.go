package httpapi

import (
	"context"
	"net/http"

	"github.com/webconferencing/webconferencing"
)

// panelRoutes are the resources of what a provider adds to a call.
func (a *API) panelRoutes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []route{
		{post, "calls/{id}/moderation", forUsers, jsonBody, a.postModeration},
		{get, "calls/{id}/info", forUsers, noBody, a.getCallInfo},
		{get, "calls/{id}/phones", forUsers, noBody, a.getPhones},
		{post, "calls/{id}/dial-out", forUsers, jsonBody, a.postDialOut},
		{get, "calls/{id}/recordings", forUsers, noBody, a.getRecordings},
		{post, "calls/{id}/recordings/start", forUsers, optionalJSON, a.recording(a.svc.StartRecording)},
		{post, "calls/{id}/recordings/stop", forUsers, optionalJSON, a.recording(a.svc.StopRecording)},
		{del, "calls/{id}/recordings/{recording}", forUsers, noBody, a.deleteRecording},
	}
}

// postModeration takes {"action","user","clientId"}.
func (a *API) postModeration(ctx context.Context, q *request) (any, error) {
	m := webconferencing.Moderation{
		Action: webconferencing.ModerationAction(q.body.required("action")),
		User:   webconferencing.UserID(q.body.required("user")),
		Client: webconferencing.ClientID(q.body.text("clientId")),
	}
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return none{}, a.svc.Moderate(ctx, q.by, q.callID(), m)
}

type infoItemView struct {
	Title string  `json:"title"`
	Text  string  `json:"text"`
	URL   *string `json:"url"`
}

func (a *API) getCallInfo(ctx context.Context, q *request) (any, error) {
	items, err := a.svc.InfoItems(ctx, q.by, q.callID())
	if err != nil {
		return nil, err
	}
	views := make([]infoItemView, 0, len(items))
	for _, i := range items {
		views = append(views, infoItemView{Title: i.Title, Text: i.Text, URL: orNil(i.URL)})
	}
	return views, nil
}

type phoneView struct {
	Country string `json:"country"`
	Number  string `json:"number"`
	PIN     string `json:"pin"`
	Title   string `json:"title"`
}

func (a *API) getPhones(ctx context.Context, q *request) (any, error) {
	list, err := a.svc.PhoneNumbers(ctx, q.by, q.callID())
	if err != nil {
		return nil, err
	}
	views := make([]phoneView, 0, len(list))
	for _, p := range list {
		views = append(views, phoneView(p))
	}
	return views, nil
}

func (a *API) postDialOut(ctx context.Context, q *request) (any, error) {
	number := q.body.required("number")
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return none{}, a.svc.DialOut(ctx, q.by, q.callID(), number)
}

type recordingView struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	URL      *string  `json:"url"`
	Started  wireTime `json:"started"`
	Length   int64    `json:"length"` // ms
	Finished bool     `json:"finished"`
}

func (a *API) getRecordings(ctx context.Context, q *request) (any, error) {
	list, err := a.svc.Recordings(ctx, q.by, q.callID())
	if err != nil {
		return nil, err
	}
	views := make([]recordingView, 0, len(list))
	for _, r := range list {
		views = append(views, recordingView{
			ID: r.ID, Title: r.Title, URL: orNil(r.URL), Started: wireTime(r.Started), Length: r.Length.Milliseconds(), Finished: r.Finished,
		})
	}
	return views, nil
}

// recording makes a route's handler of starting or stopping a recording.
func (a *API) recording(do func(context.Context, webconferencing.Actor, webconferencing.CallID) error) func(context.Context, *request) (any, error) {
	return func(ctx context.Context, q *request) (any, error) {
		if err := q.body.fault(); err != nil {
			return nil, err
		}
		return none{}, do(ctx, q.by, q.callID())
	}
}

func (a *API) deleteRecording(ctx context.Context, q *request) (any, error) {
	return none{}, a.svc.DeleteRecording(ctx, q.by, q.callID(), q.params["recording"])
}
