package webconferencing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// connectFor is how long a user has for connecting an account.
const connectFor = 10 * time.Minute

// pendingConnect is the stored half of a connection that was begun. The key is
// a print of the state, so that reading the store gives nobody a state.
type pendingConnect struct {
	User     UserID `json:"user"`
	Provider string `json:"provider"`
	Redirect string `json:"redirect"`
}

func connectKey(state string) string {
	sum := sha256.Sum256([]byte(state))
	return "connect/" + hex.EncodeToString(sum[:])
}

func credentialKey(typ string, user UserID) string { return "credential/" + typ + "/" + string(user) }

func (s *Service) connectorFor(by Actor, typ string) (*entry, error) {
	if err := validActor(by, false); err != nil {
		return nil, err
	}
	e, err := s.registry.find(typ)
	if err == nil && e.connector == nil {
		return nil, cannot("connect accounts of users")
	}
	return e, err
}

// ConnectAccount begins to connect the acting user's own account at a provider
// and returns the address to which his browser has to go. It comes back to
// redirect, which the host must have chosen or checked, and what it brings goes
// to [Service.FinishAccount] within ten minutes.
func (s *Service) ConnectAccount(ctx context.Context, by Actor, typ, redirect string) (string, error) {
	const op = "connect account"
	e, err := s.connectorFor(by, typ)
	if err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	if !webLink(redirect) {
		return "", s.wrap(ctx, by, op, invalid("redirect", "is not an address of the web"))
	}
	state := newSecret()
	data, err := json.Marshal(pendingConnect{User: by.User, Provider: e.info.Type, Redirect: redirect})
	if err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	change := &Change{Values: []ValueChange{{Key: connectKey(state), Data: data, Expires: s.now().Add(connectFor)}}}
	if _, err := s.store.Commit(ctx, change); err != nil {
		return "", s.wrap(ctx, by, op, err)
	}
	link, err := ask(ctx, s.registry, e, func(ctx context.Context) (string, error) {
		return e.connector.ConnectAccount(ctx, by, redirect, state)
	})
	if err == nil && !webLink(link) {
		err = &Error{Code: CodeInternal, Message: "internal error", Err: errors.New("the provider returned an address that is not of the web")}
	}
	return link, s.wrap(ctx, by, op, err)
}

// FinishAccount ends what [Service.ConnectAccount] began, with the parameters
// that the browser brought back. A state is good once, for the user and the
// provider that it was made for; anything else has [CodeDenied].
func (s *Service) FinishAccount(ctx context.Context, by Actor, typ string, params url.Values) error {
	const op = "finish account"
	e, err := s.connectorFor(by, typ)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	pending, err := s.spendState(ctx, by, e, params.Get("state"))
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	cred, err := ask(ctx, s.registry, e, func(ctx context.Context) (Credential, error) {
		return e.connector.FinishAccount(ctx, by, pending.Redirect, params)
	})
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, s.keepCredential(ctx, e, by.User, cred))
}

// spendState removes a state and returns what it stood for.
func (s *Service) spendState(ctx context.Context, by Actor, e *entry, state string) (pendingConnect, error) {
	var pending pendingConnect
	bad := denied("this connection was not begun here or is over, please begin again")
	if state == "" || len(state) > maxID {
		return pending, bad
	}
	v, err := s.store.Value(ctx, connectKey(state))
	if errors.Is(err, ErrNotFound) {
		return pending, bad
	}
	if err != nil {
		return pending, err
	}
	if err := json.Unmarshal(v.Data, &pending); err != nil {
		return pending, fmt.Errorf("decode connection: %w", err)
	}
	if pending.User != by.User || pending.Provider != e.info.Type {
		return pending, bad // and it stays, for the one it belongs to
	}
	_, err = s.store.Commit(ctx, &Change{Values: []ValueChange{{Key: v.Key, Expect: v.Revision}}})
	if errors.Is(err, ErrConflict) {
		return pending, bad
	}
	return pending, err
}

func (s *Service) keepCredential(ctx context.Context, e *entry, user UserID, cred Credential) error {
	if len(cred.Data) == 0 || len(cred.Data) > maxMeetingData || !json.Valid(cred.Data) {
		return &Error{
			Code: CodeInternal, Message: "internal error",
			Err: fmt.Errorf("the credential is not JSON of at most %d bytes", maxMeetingData),
		}
	}
	data, err := json.Marshal(cred)
	if err != nil {
		return errors.New("encode credential")
	}
	_, err = s.store.Commit(ctx, &Change{Values: []ValueChange{{Key: credentialKey(e.info.Type, user), Expect: AnyRevision, Data: data}}})
	return err
}

// Credential returns what a user's connected account at a provider is good
// for. It is for the provider's own code: show it to nobody. The error has
// [CodeNotFound] if the user connected none.
func (s *Service) Credential(ctx context.Context, typ string, user UserID) (Credential, error) {
	const op = "get credential"
	e, err := s.registry.find(typ)
	if err != nil {
		return Credential{}, s.wrap(ctx, Actor{}, op, err)
	}
	var cred Credential
	v, err := s.store.Value(ctx, credentialKey(e.info.Type, user))
	if err != nil {
		return cred, s.wrap(ctx, Actor{}, op, err)
	}
	if json.Unmarshal(v.Data, &cred) != nil { // its error could show a secret
		return cred, s.wrap(ctx, Actor{}, op, errors.New("decode credential: not JSON"))
	}
	return cred, nil
}

// SetCredential replaces a credential, for a provider that refreshed it.
func (s *Service) SetCredential(ctx context.Context, typ string, user UserID, cred Credential) error {
	const op = "set credential"
	e, err := s.registry.find(typ)
	if err != nil {
		return s.wrap(ctx, Actor{}, op, err)
	}
	return s.wrap(ctx, Actor{}, op, s.keepCredential(ctx, e, user, cred))
}

// DisconnectAccount takes the acting user's credential back at the provider
// and forgets it. It is forgotten even if the provider does not answer, whose
// error is then returned. Without a connected account nothing happens.
func (s *Service) DisconnectAccount(ctx context.Context, by Actor, typ string) error {
	const op = "disconnect account"
	e, err := s.connectorFor(by, typ)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	cred, err := s.Credential(ctx, typ, by.User)
	if CodeOf(err) == CodeNotFound {
		return nil
	}
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	revoked := tell(ctx, s.registry, e, func(ctx context.Context) error { return e.connector.RevokeAccount(ctx, by, cred) })
	change := &Change{Values: []ValueChange{{Key: credentialKey(e.info.Type, by.User), Expect: AnyRevision}}}
	_, err = s.store.Commit(context.WithoutCancel(ctx), change)
	return s.wrap(ctx, by, op, errors.Join(revoked, err))
}
