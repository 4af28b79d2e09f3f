package httpapi

import "context"

// Routes lists the REST routes, for the test that holds the description
// against them.
func (a *API) Routes() []string {
	var list []string
	for _, rt := range a.routes {
		list = append(list, rt.String())
	}
	return list
}

// Recheck does at once what Run does every ten seconds.
func (a *API) Recheck(ctx context.Context) { a.recheckSessions(ctx) }
