// Command demoportal is a portal with the Jitsi connector and, on a second
// port, the fake of its server. Browser tests drive it; by hand, open the
// address that it prints as two people in two browsers:
//
//	go run ./connector/jitsi/internal/demoportal
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "demoportal:", err)
		os.Exit(1)
	}
}

const hookSecret = "the webhooks' own secret"

// servers are the portal and the fake Jitsi server.
type servers struct {
	portal, jitsi net.Listener
	fake          *fakejitsi.Server
	svc           *webconferencing.Service
	api           *httpapi.API
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("demoportal", flag.ContinueOnError)
	flags.SetOutput(stderr)
	embed := flags.String("embed", string(jitsi.EmbedScript), "script or frame")
	prejoin := flags.Bool("prejoin", false, "let people choose devices first")
	jaas := flags.Bool("jaas", false, "let the server be Jitsi as a Service")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var s servers
	var err error
	for _, l := range []*net.Listener{&s.portal, &s.jitsi} {
		if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		defer (*l).Close()
	}
	opts := &jitsi.Options{WebhookSecret: hookSecret, Embed: jitsi.Embed(*embed), Prejoin: *prejoin}
	provider, err := s.connect(opts, *jaas)
	if err != nil {
		return err
	}
	s.svc, err = webconferencing.New(memstore.New(), people, &webconferencing.Options{
		Providers: []webconferencing.Provider{provider}, Logger: slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	s.api, err = httpapi.New(s.svc, httpapi.AuthenticatorFunc(signedIn), nil)
	if err != nil {
		return err
	}
	defer s.fake.Close()
	err = json.NewEncoder(stdout).Encode(map[string]string{"portal": s.portalURL(), "jitsi": "http://" + s.jitsi.Addr().String()})
	if err != nil {
		return err
	}
	return s.serve(ctx)
}

func (s *servers) portalURL() string { return "http://" + s.portal.Addr().String() }

// connect makes the fake and the connector to it, with secrets of this start.
func (s *servers) connect(opts *jitsi.Options, jaas bool) (*jitsi.Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	secrets := make([]byte, 64)
	_, _ = rand.Read(secrets) // never fails
	address := "http://" + s.jitsi.Addr().String()
	fake := fakejitsi.Options{Hooks: s.portalURL() + "/portal/rest/webconferencing/webhook/jitsi", HookSecret: hookSecret}
	if jaas {
		const app = "vpaas-magic-cookie-demo"
		fake.JaaS, fake.Keys = app, map[string]*rsa.PublicKey{app + "/key": &key.PublicKey}
		s.fake = fakejitsi.New(fake)
		return jitsi.NewJaaS(jitsi.JaaS{AppID: app, KeyID: "key", PrivateKey: private, Server: address}, secrets[32:], opts)
	}
	fake.AppID, fake.Secret, fake.Subject, fake.Reservations = "portal", fmt.Sprintf("%x", secrets[:16]), "127.0.0.1", true
	fake.SystemKeys = map[string]*rsa.PublicKey{"system/portal": &key.PublicKey}
	s.fake = fakejitsi.New(fake)
	opts.Token = &jitsi.Token{AppID: fake.AppID, Secret: fake.Secret}
	opts.EndMeeting = &jitsi.EndMeeting{KeyID: "system/portal", PrivateKey: private}
	return jitsi.New(address, secrets[32:], opts)
}

// serve runs everything until ctx ends.
func (s *servers) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/portal/rest/webconferencing/", http.StripPrefix("/portal/rest/webconferencing", s.api.REST()))
	mux.Handle("/portal/rest/state/status/", http.StripPrefix("/portal/rest/state/status", s.api.UserStatus()))
	mux.Handle("/cometd/", s.api.Bayeux())
	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", s.api.Client()))
	mux.HandleFunc("GET /login/{user}", login)
	mux.HandleFunc("GET /{$}", s.home)
	portal := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	meetings := &http.Server{Handler: s.fake, ReadHeaderTimeout: 10 * time.Second}

	life := context.WithoutCancel(ctx)
	failed := make(chan error, 4)
	go func() { failed <- s.svc.Run(life) }()
	go func() { failed <- s.api.Run(life) }()
	go func() { failed <- portal.Serve(s.portal) }()
	go func() { failed <- meetings.Serve(s.jitsi) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(life, 5*time.Second)
	defer cancel()
	return errors.Join(err, s.api.Shutdown(end), meetings.Close(), portal.Close(), s.svc.Shutdown(end))
}
