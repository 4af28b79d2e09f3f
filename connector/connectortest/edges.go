package connectortest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// nobody is a directory without people.
type nobody struct{}

func (nobody) User(context.Context, webconferencing.UserID) (*webconferencing.User, error) {
	return nil, webconferencing.ErrNotFound
}

func (nobody) Group(context.Context, webconferencing.Ref) (*webconferencing.Group, error) {
	return nil, webconferencing.ErrNotFound
}

// fits lets a service look at the provider, its settings and account types.
func fits(_ context.Context, p webconferencing.Provider, _ *Options) error {
	_, err := webconferencing.New(memstore.New(), nobody{}, &webconferencing.Options{Providers: []webconferencing.Provider{p}})
	return err
}

func settings(ctx context.Context, p webconferencing.Provider, o *Options) error {
	q, ok := p.(webconferencing.Configurable)
	if !ok {
		return nil
	}
	schema := q.Settings()
	values := make(map[string]string, len(schema))
	required := ""
	for _, set := range schema {
		if set.Title == "" {
			return fmt.Errorf("setting %q has no title", set.Key)
		}
		values[set.Key] = set.Default
		if v, ok := o.Settings[set.Key]; ok {
			values[set.Key] = v
		}
		if set.Required {
			required = set.Key
		}
	}
	if err := q.Configure(ctx, values); err != nil {
		return fmt.Errorf("Configure with sound values: %w", err)
	}
	if again := q.Settings(); len(again) != len(schema) {
		return errors.New("the schema changed by configuring")
	}
	if required != "" {
		values[required] = ""
		if err := q.Configure(ctx, values); err == nil {
			return fmt.Errorf("Configure without %s, which is required, is no error", required)
		}
	}
	return nil
}

// strangeRequests are what anybody on the net could send.
func strangeRequests() []webconferencing.WebhookRequest {
	remote := netip.MustParseAddr("192.0.2.66")
	var list []webconferencing.WebhookRequest
	for _, method := range []string{"POST", "GET", "DELETE", "PUT"} {
		for _, path := range []string{"", "events", "events/occupant/left", "conference/1", "../../x"} {
			for _, body := range []string{"", "{}", `{"event":"ended","call":"g/product_team1"}`, "null", "[", "\xff\xfe"} {
				list = append(list, webconferencing.WebhookRequest{
					Method: method, Path: path, Body: []byte(body), Remote: remote,
					Header: map[string][]string{"Content-Type": {"application/json"}},
				})
			}
		}
	}
	for _, header := range []string{"Bearer ", "Bearer e30.e30.", "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic Og==", "x"} {
		list = append(list, webconferencing.WebhookRequest{
			Method: "POST", Path: "events", Body: []byte(`{}`), Remote: remote,
			Header: map[string][]string{"Authorization": {header}, "X-Signature": {"00"}},
		})
	}
	return list
}

func strangers(ctx context.Context, p webconferencing.Provider, o *Options) error {
	q, ok := p.(webconferencing.WebhookReceiver)
	if !ok {
		return nil
	}
	for _, r := range o.Unsigned {
		reply, err := q.Webhook(ctx, r)
		var refused *webconferencing.Error
		switch {
		case errors.As(err, &refused):
			if refused.Code == webconferencing.CodeInternal {
				return fmt.Errorf("%s %q is a fault of the provider: %w", r.Method, r.Path, err)
			}
		case err != nil:
			return fmt.Errorf("%s %q: the error is no *webconferencing.Error: %w", r.Method, r.Path, err)
		case reply != nil && len(reply.Evidence) > 0:
			return fmt.Errorf("%s %q with the body %q is believed", r.Method, r.Path, r.Body)
		case reply == nil || reply.Status < 400:
			return fmt.Errorf("%s %q with the body %q is accepted", r.Method, r.Path, r.Body)
		}
	}
	return nil
}

func links(_ context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.URLParser)
	if !ok {
		return nil
	}
	for _, link := range []string{
		"", "x", "https://", "https://example.invalid/room", "javascript:alert(1)", "https://user:password@example.invalid/a/b?c#d",
		"%zz", "http://[::1", strings.Repeat("a", 3000),
	} {
		if room, ok := q.ParseURL(link); ok {
			return fmt.Errorf("ParseURL finds the room %q in %q", room, link)
		}
	}
	return nil
}

func accounts(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.AccountTyper)
	if !ok {
		return nil
	}
	types := q.AccountTypes()
	if len(types) == 0 {
		return errors.New("AccountTypes lists none; a provider without should not be an AccountTyper")
	}
	for _, t := range types {
		if !webconferencing.ValidProviderType(t.Type) || t.Title == "" {
			return fmt.Errorf("account type %+v is not sound", t)
		}
		for _, bad := range []string{"", " ", "\x00", "<script>"} {
			if _, err := q.CheckAccount(ctx, t.Type, bad); err == nil {
				return fmt.Errorf("CheckAccount takes %q for a %s account", bad, t.Type)
			}
		}
	}
	if _, err := q.CheckAccount(ctx, "no_such_type", "mary"); err == nil {
		return errors.New("CheckAccount knows accounts of any type")
	}
	return nil
}
