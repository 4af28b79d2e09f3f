package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// accountRoutes are the resources of users' accounts: those in their profiles,
// and those that a provider acts for.
func (a *API) accountRoutes() []route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	return []route{
		{get, "users/{id}/accounts", forUsers, noBody, a.getAccounts},
		{put, "users/{id}/accounts/{type}", forUsers, jsonBody, a.putAccount},
		{del, "users/{id}/accounts/{type}", forUsers, noBody, a.deleteAccount},
		{post, "provider/{type}/connection", forUsers, jsonBody, a.postConnection},
		{post, "provider/{type}/connection/finish", forUsers, jsonBody, a.postConnectionFinish},
		{del, "provider/{type}/connection", forUsers, noBody, a.deleteConnection},
	}
}

type accountsView struct {
	Accounts map[string][]imAccountView `json:"accounts"` // as in a User
	Types    []accountTypeView          `json:"types"`    // that can be set
}

type accountTypeView struct {
	Type  string `json:"type"`
	Title string `json:"title"`
}

func (a *API) getAccounts(ctx context.Context, q *request) (any, error) {
	accounts, err := a.svc.Accounts(ctx, q.by, webconferencing.UserID(q.params["id"]))
	if err != nil {
		return nil, err
	}
	v := accountsView{
		Accounts: viewUser(&webconferencing.User{IMAccounts: accounts}).IMAccounts, Types: []accountTypeView{},
	}
	for _, t := range a.svc.Providers().AccountTypes() {
		v.Types = append(v.Types, accountTypeView{Type: t.Type, Title: t.Title})
	}
	return v, nil
}

func (a *API) putAccount(ctx context.Context, q *request) (any, error) {
	account := q.body.required("account")
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.setAccount(ctx, q, account)
}

func (a *API) deleteAccount(ctx context.Context, q *request) (any, error) {
	return a.setAccount(ctx, q, "")
}

func (a *API) setAccount(ctx context.Context, q *request, account string) (any, error) {
	if _, err := a.svc.SetAccount(ctx, q.by, webconferencing.UserID(q.params["id"]), q.params["type"], account); err != nil {
		return nil, err
	}
	return a.getAccounts(ctx, q)
}

type connectionView struct {
	URL string `json:"url"` // where the browser has to go
}

// postConnection takes {"redirect"}, an address of this portal to which the
// browser comes back.
func (a *API) postConnection(ctx context.Context, q *request) (any, error) {
	redirect := q.body.required("redirect")
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	if !a.ownAddress(q.Request, redirect) {
		return nil, invalid("redirect", "is not an address of this portal")
	}
	link, err := a.svc.ConnectAccount(ctx, q.by, q.params["type"], redirect)
	return connectionView{URL: link}, err
}

// ownAddress tells whether an address leads to the host that the request was
// sent to, or to one that is trusted, so that no code of a user's account goes
// elsewhere.
func (a *API) ownAddress(r *http.Request, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || slices.Contains(a.opts.TrustedOrigins, u.Scheme+"://"+u.Host)
}

// postConnectionFinish takes {"params": the parameters of the address to which
// the browser came back}.
func (a *API) postConnectionFinish(ctx context.Context, q *request) (any, error) {
	params := q.body.object("params")
	if params == nil {
		q.body.fail("params", "is missing")
	}
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	values := make(url.Values)
	for _, m := range params.obj {
		values.Set(m.Name, params.text(m.Name))
	}
	if err := params.fault(); err != nil {
		return nil, err
	}
	return none{}, a.svc.FinishAccount(ctx, q.by, q.params["type"], values)
}

func (a *API) deleteConnection(ctx context.Context, q *request) (any, error) {
	return none{}, a.svc.DisconnectAccount(ctx, q.by, q.params["type"])
}
