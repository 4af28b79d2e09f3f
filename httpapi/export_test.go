package httpapi

// Routes lists the REST routes, for the test that holds the description
// against them.
func (a *API) Routes() []string {
	var list []string
	for _, rt := range a.routes {
		list = append(list, rt.String())
	}
	return list
}
