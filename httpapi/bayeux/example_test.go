package bayeux_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// A chat: everybody may talk in every room, under the name that the portal
// knows him by.
func Example() {
	server, err := bayeux.New(&bayeux.Options{
		Authenticate: func(_ context.Context, r *http.Request, _ *bayeux.Message) (bayeux.Identity, error) {
			user := r.Header.Get("X-User") // in a portal: the user of the login session
			if user == "" {
				return bayeux.Identity{}, errors.New("not logged in")
			}
			return bayeux.Identity{User: user}, nil
		},
		Authorize: func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, _ *bayeux.Message) error {
			if len(channel) > 6 && channel[:6] == "/chat/" {
				return nil
			}
			return &bayeux.Refusal{Reason: "no_such_room"}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/cometd", server)
	mux.Handle("/cometd/", server)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer server.Shutdown(context.Background())

	// What CometD's and Faye's clients do:
	post := func(body string) string {
		r, _ := http.NewRequest(http.MethodPost, web.URL+"/cometd", bytes.NewBufferString(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-User", "ann")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return string(text)
	}
	var replies []struct {
		ClientID   string
		Successful bool
	}
	_ = json.Unmarshal([]byte(post(`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`)), &replies)
	fmt.Println("shook hands:", replies[0].Successful)
	for s := range server.Sessions() {
		fmt.Println("session of", s.Identity().User)
	}
	// Output:
	// shook hands: true
	// session of ann
}

// A remote call is answered where CometD's clients say
// cometd.remoteCall("time/zone/CET", {}, callback).
func ExampleServer_HandleService() {
	server, err := bayeux.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = server.HandleService("/service/time/zone/{name}", func(_ context.Context, s *bayeux.Session, r *bayeux.Request) {
		if r.Param("name") != "CET" {
			_ = r.Fail(json.RawMessage(`{"code":"NOT_FOUND_ERROR"}`))
			return
		}
		_ = r.Reply(json.RawMessage(`{"offset":60}`))
	})
	fmt.Println(err)
	// Output: <nil>
}

// A message that goes to many is encoded once.
func ExamplePrepare() {
	p, err := bayeux.Prepare("/chat/lobby", json.RawMessage(`{"text":"hello"}`), map[string]json.RawMessage{"offset": json.RawMessage("7")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(p.JSON()))
	// Output: {"channel":"/chat/lobby","offset":7,"data":{"text":"hello"}}
}

// Rights for patterns of channels: everybody may read the news, and editors
// write them.
func ExampleAuthorizer() {
	news := func(_ context.Context, s *bayeux.Session, op bayeux.Operation, _ string, _ *bayeux.Message) (granted bool, err error) {
		switch {
		case op == bayeux.OpSubscribe, op == bayeux.OpCreate:
			return true, nil
		case s.Identity().User == "editor":
			return true, nil
		}
		return false, &bayeux.Refusal{Reason: "editors_only"}
	}
	server, err := bayeux.New(&bayeux.Options{Channels: []bayeux.ChannelRule{{Pattern: "/news/**", Authorize: news}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Shutdown(context.Background())
	for _, user := range []string{"reader", "editor"} {
		session, err := server.NewLocalSession(bayeux.Identity{User: user}, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(user, session.Subscribe(context.Background(), "/news/**"), session.Publish(context.Background(), "/news/sport", json.RawMessage(`"goal"`)))
	}
	// Output:
	// reader <nil> publish: refused: 403:editors_only
	// editor <nil> <nil>
}
