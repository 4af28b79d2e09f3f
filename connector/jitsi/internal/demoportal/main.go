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
	if err := s.build(jitsi.Embed(*embed), *prejoin, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
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

func (s *servers) build(embed jitsi.Embed, prejoin bool, logger *slog.Logger) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	secrets := make([]byte, 64)
	_, _ = rand.Read(secrets) // never fails
	appSecret := fmt.Sprintf("%x", secrets[:16])
	s.fake = fakejitsi.New(fakejitsi.Options{
		AppID: "portal", Secret: appSecret, Subject: "127.0.0.1", Reservations: true,
		Hooks: s.portalURL() + "/hooks/jitsi", HookSecret: hookSecret,
		SystemKeys: map[string]*rsa.PublicKey{"system/portal": &key.PublicKey},
	})
	provider, err := jitsi.New("http://"+s.jitsi.Addr().String(), secrets[32:], &jitsi.Options{
		Token: &jitsi.Token{AppID: "portal", Secret: appSecret}, WebhookSecret: hookSecret, Embed: embed, Prejoin: prejoin,
		EndMeeting: &jitsi.EndMeeting{KeyID: "system/portal", PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))},
	})
	if err != nil {
		return err
	}
	s.svc, err = webconferencing.New(memstore.New(), people, &webconferencing.Options{
		Providers: []webconferencing.Provider{provider}, Logger: logger,
	})
	if err != nil {
		return err
	}
	s.api, err = httpapi.New(s.svc, httpapi.AuthenticatorFunc(signedIn), nil)
	return err
}

// serve runs everything until ctx ends.
func (s *servers) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/portal/rest/webconferencing/", http.StripPrefix("/portal/rest/webconferencing", s.api.REST()))
	mux.Handle("/portal/rest/state/status/", http.StripPrefix("/portal/rest/state/status", s.api.UserStatus()))
	mux.Handle("/cometd/", s.api.Bayeux())
	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", s.api.Client()))
	mux.HandleFunc("/hooks/{type}/{path...}", s.hook)
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
