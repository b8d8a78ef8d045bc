package erp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount of one currency, as an integer of its minor unit, such as cents. It is never
// rounded.
type Money struct {
	Minor    int64 // may be zero or negative
	Currency Currency
}

// MaxAmountMinor is the largest amount that can be charged or paid. JSON readers that have only
// floating-point numbers read every integer up to it exactly.
const MaxAmountMinor = 1<<53 - 1

// The errors of calculations.
var (
	// ErrOverflow is returned if a result is out of the range of int64.
	ErrOverflow = errors.New("amount is out of range")

	// ErrCurrencyMismatch is returned if two amounts have different currencies.
	ErrCurrencyMismatch = errors.New("amounts are of different currencies")
)

// Add returns the sum of two amounts, or [ErrOverflow] or [ErrCurrencyMismatch].
func (m Money) Add(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, fmt.Errorf("add %s to %s: %w", n, m, ErrCurrencyMismatch)
	}
	sum := m.Minor + n.Minor
	if (sum > m.Minor) != (n.Minor > 0) { // overflow
		return Money{}, fmt.Errorf("add %s to %s: %w", n, m, ErrOverflow)
	}
	return Money{Minor: sum, Currency: m.Currency}, nil
}

// Sub returns m less n, or [ErrOverflow] or [ErrCurrencyMismatch].
func (m Money) Sub(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, fmt.Errorf("subtract %s from %s: %w", n, m, ErrCurrencyMismatch)
	}
	difference := m.Minor - n.Minor
	if (difference < m.Minor) != (n.Minor > 0) {
		return Money{}, fmt.Errorf("subtract %s from %s: %w", n, m, ErrOverflow)
	}
	return Money{Minor: difference, Currency: m.Currency}, nil
}

// String returns the amount with the digits of its currency: "12.50 EUR", "1250 JPY". An amount of
// an unknown currency is in minor units.
func (m Money) String() string {
	digits, _ := m.Currency.Digits()
	sign, s := "", strconv.FormatInt(m.Minor, 10)
	if m.Minor < 0 {
		sign, s = "-", s[1:]
	}
	if digits > 0 {
		s = strings.Repeat("0", max(0, digits+1-len(s))) + s
		s = s[:len(s)-digits] + "." + s[len(s)-digits:]
	}
	return sign + s + " " + string(m.Currency)
}

// amount refuses an amount that cannot be charged or paid.
func (r *refusals) amount(m Money) {
	if m.Minor < 1 || m.Minor > MaxAmountMinor {
		r.add("amount_minor", fmt.Sprintf("is not between 1 and %d", MaxAmountMinor))
	}
	if _, ok := m.Currency.Digits(); !ok {
		r.add("currency", "is not the ISO 4217 code of a currency")
	}
}
