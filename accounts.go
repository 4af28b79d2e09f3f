package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// accountType is a registered [AccountType] and who validates it.
type accountType struct {
	AccountType
	entry *entry
}

// addAccountTypes registers the account types of the provider at place i.
func (r *Registry) addAccountTypes(i int, e *entry) error {
	if e.typer == nil {
		return nil
	}
	var faults []error
	for _, t := range e.typer.AccountTypes() {
		_, taken := r.accounts[t.Type]
		switch {
		case !ValidProviderType(t.Type):
			faults = append(faults, fmt.Errorf("Options.Providers[%d]: account type %q is not 1 to %d lower-case letters, digits and _", i, t.Type, maxWord))
		case taken:
			faults = append(faults, fmt.Errorf("Options.Providers[%d]: account type %q is there already", i, t.Type))
		case t.Title == "":
			faults = append(faults, fmt.Errorf("Options.Providers[%d]: account type %q has no title", i, t.Type))
		default:
			r.accounts[t.Type] = accountType{t, e}
		}
	}
	return errors.Join(faults...)
}

// AccountTypes returns the kinds of accounts that users may have, by type.
func (r *Registry) AccountTypes() []AccountType {
	list := make([]AccountType, 0, len(r.accounts))
	for _, typ := range slices.Sorted(maps.Keys(r.accounts)) {
		list = append(list, r.accounts[typ].AccountType)
	}
	return list
}

func accountKey(user UserID, typ string) string { return accountPrefix(user) + typ }

// accountPrefix can't be confused with another user's: ids have no slash.
func accountPrefix(user UserID) string { return "im-account/" + string(user) + "/" }

// SetAccount sets a user's account of a type, for the user himself and for
// administrators, and returns it in the form that the provider gave it. An
// empty id removes it. What the provider objects to has [CodeInvalid].
func (s *Service) SetAccount(ctx context.Context, by Actor, user UserID, typ, id string) (IMAccount, error) {
	const op = "set account"
	account, err := s.setAccount(ctx, by, user, typ, id)
	return account, s.wrap(ctx, by, op, err)
}

func (s *Service) setAccount(ctx context.Context, by Actor, user UserID, typ, id string) (IMAccount, error) {
	if err := validActor(by, false); err != nil {
		return IMAccount{}, err
	}
	if by.User != user && !by.Admin {
		return IMAccount{}, denied("this is somebody else's account")
	}
	if err := checkUserID("user", user); err != nil {
		return IMAccount{}, err
	}
	t, ok := s.registry.accounts[typ]
	if !ok {
		return IMAccount{}, &Error{Code: CodeNotFound, Message: "account type not found", Err: ErrNotFound}
	}
	change := ValueChange{Key: accountKey(user, typ), Expect: AnyRevision}
	if id != "" {
		if err := checkText("account", id, 1, maxID); err != nil {
			return IMAccount{}, err
		}
		normal, err := ask(ctx, s.registry, t.entry, func(ctx context.Context) (string, error) { return t.entry.typer.CheckAccount(ctx, typ, id) })
		if err != nil {
			return IMAccount{}, accountRefused(err)
		}
		if id = normal; checkText("account", id, 1, maxID) != nil || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' }) {
			return IMAccount{}, invalid("account", "is not accepted")
		}
		if change.Data, err = json.Marshal(IMAccount{Type: typ, ID: id}); err != nil {
			return IMAccount{}, fmt.Errorf("encode account: %w", err)
		}
	}
	_, err := s.store.Commit(ctx, &Change{Values: []ValueChange{change}})
	return IMAccount{Type: typ, ID: id}, err
}

// accountRefused is the answer when a provider refuses an account: its
// sentence is for the user.
func accountRefused(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	text := err.Error()
	if !utf8.ValidString(text) || len(text) > maxProblem {
		text = "account is not accepted"
	}
	return &Error{Code: CodeInvalid, Field: "account", Message: text}
}

// Accounts returns the accounts of a user by type, those that the directory
// knows and those that were set here, which count. Anybody who is signed in
// may see them, as the rest of a profile.
func (s *Service) Accounts(ctx context.Context, by Actor, user UserID) (map[string][]IMAccount, error) {
	const op = "get accounts"
	u, err := s.User(ctx, by, user)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if u.IMAccounts == nil {
		return map[string][]IMAccount{}, nil
	}
	return u.IMAccounts, nil
}

// addAccounts puts the accounts that were set here into a profile.
func (s *Service) addAccounts(ctx context.Context, u *User) error {
	if len(s.registry.accounts) == 0 {
		return nil
	}
	all := maps.Clone(u.IMAccounts)
	if all == nil {
		all = make(map[string][]IMAccount)
	}
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: accountPrefix(u.ID)}) {
		if err != nil {
			return err
		}
		var a IMAccount
		if err := json.Unmarshal(v.Data, &a); err != nil {
			return fmt.Errorf("decode account: %w", err)
		}
		if _, known := s.registry.accounts[a.Type]; known {
			all[a.Type] = []IMAccount{a}
		}
	}
	u.IMAccounts = all
	return nil
}
