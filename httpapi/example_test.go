package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func ExampleNew() {
	svc, err := webconferencing.New(memstore.New(), &directory{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A portal would look at its session cookie.
	signedIn := httpapi.AuthenticatorFunc(func(r *http.Request) (webconferencing.Actor, error) {
		user, _, ok := r.BasicAuth()
		if !ok {
			return webconferencing.Actor{}, httpapi.ErrUnauthenticated
		}
		return webconferencing.Actor{User: webconferencing.UserID(user)}, nil
	})
	api, err := httpapi.New(svc, signedIn, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer api.Shutdown(context.Background())

	mux := http.NewServeMux()
	rest := "/portal/rest/webconferencing"
	mux.Handle(rest+"/", http.StripPrefix(rest, api.REST()))
	mux.Handle("/cometd/", api.Bayeux())
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, user := range []string{"mary", ""} {
		r, err := http.NewRequest(http.MethodGet, server.URL+rest+"/user/john", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		if user != "" {
			r.SetBasicAuth(user, "")
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(io.LimitReader(res.Body, 89))
		res.Body.Close()
		fmt.Println(res.StatusCode, string(body))
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 200 {"id":"john","title":"John Smith","firstName":"John","lastName":"Smith","type":"user","gr
	// 401 {"code":"ACCESS_ERROR","message":"please sign in","error":true,"reason":"unauthenticated"
}
