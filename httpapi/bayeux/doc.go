// Package bayeux is a server for the Bayeux protocol, version 1.0, as CometD's
// and Faye's clients speak it, over long-polling and WebSocket. It depends on
// nothing but the standard library, and knows nothing of what its messages
// mean.
//
// # A chat in ten minutes
//
// A [Server] is an http.Handler. Mount it where the clients expect it, with
// everything below; the path has no meaning. This is a whole chat, main.go of an
// empty folder. It knows its people by a name, tells who said what, shows whoever
// comes the last 20 messages and who is there, and ends in an orderly way:
//
//	package main
//
//	import (
//		"context"
//		"encoding/json"
//		"errors"
//		"log"
//		"log/slog"
//		"maps"
//		"net/http"
//		"os"
//		"os/signal"
//		"slices"
//		"strings"
//		"time"
//
//		"github.com/webconferencing/webconferencing/httpapi/bayeux"
//	)
//
//	const page = `<!DOCTYPE html>
//	<title>Chat</title>
//	<p id="people"></p>
//	<div id="messages"></div>
//	<form><input name="text" autofocus> <button>Send</button></form>
//	<script type="module">
//		import {CometD} from "/cometd.js/cometd.js"
//		const cometd = new CometD()
//		const show = ({data}) => messages.append(data.from, ": ", data.text, document.createElement("br"))
//		cometd.configure({url: location.origin + "/cometd"})
//		cometd.addListener("/meta/handshake", reply => {
//			if (!reply.successful) {
//				people.textContent = "You cannot take part: " + reply.error
//				return
//			}
//			messages.replaceChildren()
//			cometd.subscribe("/chat/lobby", show, {ext: {replay: {"/chat/lobby": -2}}})
//			cometd.remoteCall("who", {}, answer => { people.textContent = answer.data.join(", ") })
//		})
//		cometd.handshake()
//		document.forms[0].onsubmit = event => {
//			event.preventDefault()
//			cometd.publish("/chat/lobby", {text: event.target.text.value})
//			event.target.reset()
//		}
//	</script>`
//
//	func main() {
//		history, err := bayeux.NewMemoryHistory(&bayeux.MemoryHistoryOptions{MaxMessages: 20, MaxAge: 24 * time.Hour})
//		if err != nil {
//			log.Fatal(err)
//		}
//		server, err := bayeux.New(&bayeux.Options{
//			Logger:  slog.Default(),
//			History: history,
//			Authenticate: func(_ context.Context, r *http.Request, _ *bayeux.Message) (bayeux.Identity, error) {
//				name, err := r.Cookie("name") // in a portal: the user of the login session
//				if err != nil || name.Value == "" {
//					return bayeux.Identity{}, errors.New("not logged in")
//				}
//				return bayeux.Identity{User: name.Value}, nil
//			},
//			Authorize: func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, _ *bayeux.Message) error {
//				if strings.HasPrefix(channel, "/chat/") || channel == "/service/who" {
//					return nil
//				}
//				return &bayeux.Refusal{Reason: "no_such_room"}
//			},
//			Channels: []bayeux.ChannelRule{{Pattern: "/chat/**", Filters: []bayeux.DataFilter{sign}}},
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		err = server.HandleService("/service/who", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
//			names := make(map[string]bool)
//			for s := range server.Sessions() {
//				names[s.Identity().User] = true
//			}
//			list, _ := json.Marshal(slices.Sorted(maps.Keys(names)))
//			_ = r.Reply(list)
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//
//		mux := http.NewServeMux()
//		mux.Handle("/cometd", server)
//		mux.Handle("/cometd/", server)
//		mux.Handle("/cometd.js/", http.StripPrefix("/cometd.js/", http.FileServer(http.Dir("node_modules/cometd"))))
//		mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
//			if name := r.FormValue("name"); name != "" {
//				http.SetCookie(w, &http.Cookie{Name: "name", Value: name, HttpOnly: true})
//			}
//			w.Header().Set("Content-Type", "text/html; charset=utf-8")
//			_, _ = w.Write([]byte(page))
//		})
//		web := &http.Server{Addr: "127.0.0.1:8081", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
//		go func() {
//			if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
//				log.Fatal(err)
//			}
//		}()
//
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
//		<-ctx.Done()
//		stop()
//		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
//		defer cancel()
//		if err := errors.Join(server.Shutdown(end), web.Shutdown(end)); err != nil {
//			log.Fatal(err)
//		}
//	}
//
//	// sign puts the sender's name into what he says.
//	func sign(_ context.Context, s *bayeux.Session, _ string, data json.RawMessage) (json.RawMessage, error) {
//		var said struct{ Text string }
//		if err := json.Unmarshal(data, &said); err != nil {
//			return nil, err
//		}
//		return json.Marshal(map[string]string{"from": s.Identity().User, "text": said.Text})
//	}
//
// To run it, with the client from npm, and then open http://127.0.0.1:8081/?name=ann
// in one browser and http://127.0.0.1:8081/?name=bob in another:
//
//	go mod init example.com/chat
//	go get github.com/webconferencing/webconferencing
//	npm install cometd
//	go run .
//
// From the server, [Server.Publish] reaches everybody who is subscribed,
// [Server.Deliver] all sessions of one user, and [Session.Deliver] one client.
// [Server.HandleService] answers cometd.remoteCall, whose client puts /service/
// before the name. Code that wants to take part as a client does, in a server or
// in a test, uses [Server.NewLocalSession].
//
// # Who is there
//
// A user has a session for each tab and device, and a client that comes back
// after a long pause has a new one. Options.OnSession and Options.OnSessionClosed
// tell of each session once and in this order; when the latter is called
// [Server.UserSessions] has the session no more, so that an empty list means that
// the user is gone. A tab that was closed or has crashed is noticed after
// Options.MaxInterval, on a WebSocket too: a lost connection does not end a
// session, because the client may come back on another. [Session.Connected] is
// false between two polls and no measure for a list of people.
//
// # Who may do what
//
// The zero [Options] let everybody in and do everything, as CometD's defaults
// do. Options.Authenticate decides about handshakes, Options.Reauthenticate
// looks again at each request and regularly at open WebSockets and held connects
// (where both may run after the handler of the request has returned): it returns
// nil for the user of the session, [ErrForeign] for another one, and any other
// error if nobody is logged in any more, which ends the session.
// Options.Authorize decides about each channel, those of remote calls included,
// or rules for patterns of channels grant and deny, see [ChannelRule];
// Options.RecheckSubscriptions and [Session.Reauthorize] ask again what a client
// may keep. A session belongs to the browser that made it, by a cookie that the
// handshake's answer sets over HTTP, and to the user that Reauthenticate compares.
// The channels /meta/** and /service/** are reserved.
//
// Requests of pages of other origins are refused with HTTP 403 "cross_site" unless
// Options.AllowedOrigins names them, on WebSockets too. So is a WebSocket that
// brings cookies and no Origin, since every browser sends one: a program that logs
// in by a cookie sets Origin to the server's own. The log tells why.
//
// A message that a client publishes passes, in this order: Options.Incoming,
// Options.Authorize and the rules' Authorize, Options.OnPublish, the rules'
// Filters, Options.History. Only a filter changes what subscribers get; the others
// see it as it was sent, with its ext. What the program publishes passes the
// History only.
//
// # What is promised
//
// Messages to one session keep their order and are not lost while the session
// lives, as far as the server can know: what could not be written, because a
// poll or a socket had died, is sent again. Only a client with the
// acknowledgement extension is certain to get everything, and may get some
// twice; CometD's client has it, Faye's does not. A session lives as long as its
// client connects; when it ends, its queue is gone. [Server.Shutdown] lets clients
// take their queues first. Options.History keeps messages beyond that for the
// replay extension.
//
// Nothing is unbounded: each limit is a field of Options. A client that does
// not take its messages is ended, with [ReasonSlow], before it can harm others;
// publishing never waits for a client. Hooks that do not return in time are
// given up, so that they harm neither the other requests of a session nor other
// sessions; [Options] tells what that means for each.
//
// # When something goes wrong
//
// A client is told what it did wrong, and nothing of what went wrong inside: a
// panic or an error of a hook, a handler or a history is answered in general
// words. The line of Options.Logger that tells the cause has a reference of
// twelve letters and digits, which the client is told too, as ext.ref of the
// reply, data.ref of a failed remote call or requestId of an HTTP error, so that
// what a user reports can be found. HTTP errors about which there is nothing to
// tell have a requestId without a line.
//
// # In a host
//
// The http.Server may have any time limits: this server sets its own for each
// request, through [http.ResponseController]. A wrapper around the ResponseWriter
// needs a method Unwrap for that, and for WebSockets; see Options.StayInHandler
// for what else it changes. Mount nothing between that buffers or compresses.
//
// # Differences from CometD
//
// Data passes through as it was sent, digit for digit. A message that is wrong
// is refused by itself, not together with its batch. A subscription to several
// channels is made for all of them or none. Fields that steer a client, such as
// advice, are not passed on from publisher to subscribers. A publish without
// data, to a pattern, or on a service channel without handler is refused. Names
// have at most 255 bytes and 8 segments. Requests must be application/json in
// UTF-8, without compression. There is no callback-polling.
//
// # Coming from Faye
//
// Faye's client works over both transports, from pages of the server's own origin
// and in Node. From pages of other origins it makes its handshake by
// callback-polling, whatever else it may use, and that is not offered: let the
// page's own origin pass the path on to this server. There is no EventSource, and
// the client's script is for the host to serve. In place of
//
//   - extensions for incoming messages: Options.Incoming or Options.OnPublish to
//     look and refuse (message.error is a [Refusal]), Filters of a [ChannelRule] to
//     change data, Options.PrivateFields for fields that others must not see;
//   - getClient: [Server.NewLocalSession], with [LocalSession.Send] for messages
//     with ext;
//   - the events handshake, disconnect, subscribe, unsubscribe, publish:
//     Options.OnSession, OnSessionClosed, OnSubscribe, OnUnsubscribe, OnPublish;
//   - the engine's lists: [Server.Sessions], [Server.Channels],
//     [Server.Subscribers], [Server.Stats].
//
// # Concurrency
//
// All types are safe for concurrent use. The messages of one session, other
// than connects, are processed one after the other, hooks included; different
// sessions run in parallel. What a [LocalSession] sends waits for nothing else
// of it. Hooks are called without locks of this package. Publishing and
// delivering call no hook but OnRelease before they return, and can be done with
// locks of one's own held if that takes none of them.
package bayeux
