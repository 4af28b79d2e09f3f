package webconferencing

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxSettings     = 100
	maxSettingValue = 16 << 10
)

// checkSchema reports what makes no sense in a provider's settings.
func checkSchema(schema []Setting) error {
	var faults []error
	if len(schema) > maxSettings {
		faults = append(faults, fmt.Errorf("%d settings, more than %d", len(schema), maxSettings))
	}
	seen := make(map[string]bool)
	for _, set := range schema {
		if !validSettingKey(set.Key) {
			faults = append(faults, fmt.Errorf("setting %q: the key is not 1 to 64 lower-case letters, digits, - and _", set.Key))
		}
		if seen[set.Key] {
			faults = append(faults, fmt.Errorf("setting %q is there twice", set.Key))
		}
		seen[set.Key] = true
		switch set.Type {
		case SettingText, SettingURL, SettingNumber, SettingBool, SettingSecret, SettingSeconds:
		case SettingChoice:
			if len(set.Choices) == 0 {
				faults = append(faults, fmt.Errorf("setting %q has no choices", set.Key))
			}
		default:
			faults = append(faults, fmt.Errorf("setting %q: type %q is not known", set.Key, set.Type))
			continue
		}
		if set.Type == SettingSecret && set.Default != "" {
			faults = append(faults, fmt.Errorf("setting %q: a secret has no default", set.Key))
		}
		if set.Default != "" {
			if err := set.check(set.Default); err != nil {
				faults = append(faults, fmt.Errorf("setting %q: the default %w", set.Key, err))
			}
		}
	}
	return errors.Join(faults...)
}

func validSettingKey(key string) bool {
	if key == "" || len(key) > 64 {
		return false
	}
	for _, c := range key {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// check says what is wrong with a value that is not empty, without showing it.
func (set *Setting) check(value string) error {
	if len(value) > maxSettingValue || !utf8.ValidString(value) {
		return errors.New("is too long or not text")
	}
	switch set.Type {
	case SettingURL:
		if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return errors.New("is not an address that begins with https:// or http://")
		}
	case SettingNumber, SettingSeconds:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || set.Type == SettingSeconds && n < 0 {
			return errors.New("is not a whole number")
		}
		if (set.Min != 0 || set.Max != 0) && (n < set.Min || n > set.Max) {
			return fmt.Errorf("is not from %d to %d", set.Min, set.Max)
		}
	case SettingBool:
		if value != "true" && value != "false" {
			return errors.New("is neither true nor false")
		}
	case SettingChoice:
		if !slices.Contains(set.Choices, value) {
			return fmt.Errorf("is none of %s", strings.Join(set.Choices, ", "))
		}
	}
	return nil
}
