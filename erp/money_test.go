package erp_test

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/erp"
)

func TestMoneyIsShownWithTheDigitsOfItsCurrency(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]erp.Money{
		"12.50 EUR":                    {Minor: 1250, Currency: "EUR"},
		"0.05 EUR":                     {Minor: 5, Currency: "EUR"},
		"-0.05 EUR":                    {Minor: -5, Currency: "EUR"},
		"0.00 USD":                     {Currency: "USD"},
		"1250 JPY":                     {Minor: 1250, Currency: "JPY"},
		"1.250 KWD":                    {Minor: 1250, Currency: "KWD"},
		"-1.000 KWD":                   {Minor: -1000, Currency: "KWD"},
		"1250 ???":                     {Minor: 1250, Currency: "???"},
		"92233720368547758.07 EUR":     {Minor: math.MaxInt64, Currency: "EUR"},
		"-92233720368547758.08 EUR":    {Minor: math.MinInt64, Currency: "EUR"},
		"-9223372036854775.808 KWD":    {Minor: math.MinInt64, Currency: "KWD"},
		"90071992547409.91 EUR":        {Minor: erp.MaxAmountMinor, Currency: "EUR"},
		"-9223372036854775808 unknown": {Minor: math.MinInt64, Currency: "unknown"},
	} {
		assert.Equal(t, want, m.String(), "%d %s", m.Minor, m.Currency)
	}
}

func TestCurrenciesAreThoseOfISO4217(t *testing.T) {
	t.Parallel()
	for code, want := range map[erp.Currency]int{
		"EUR": 2, "USD": 2, "KES": 2, "ZWG": 2, "XCG": 2, "JPY": 0, "UGX": 0, "XAF": 0, "KWD": 3, "TND": 3,
	} {
		digits, ok := code.Digits()
		assert.True(t, ok, "%s has %d digits (%t), want %d", code, digits, ok, want)
		assert.Equal(t, want, digits, "%s has %d digits (%t), want", code, digits, ok)
	}
	for _, code := range []erp.Currency{
		"", "E", "EU", "EURO", "eur", "EUR ", " EUR", "UR ", "AED AFN", "DEM", "HRK", "BGN", "XXX", "XAU", "XTS", "CLF",
		"\n", "€",
	} {
		_, ok := code.Digits()
		assert.False(t, ok, "%q is no currency", code)
	}
	listed := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				if _, ok := erp.Currency([]rune{a, b, c}).Digits(); ok {
					listed++
				}
			}
		}
	}
	assert.Equal(t, 155, listed, "%d currencies, want 155", listed)
}

func TestAmountsOfTwoCurrenciesAreNotAdded(t *testing.T) {
	t.Parallel()
	euro, dollar := erp.Money{Minor: 1, Currency: "EUR"}, erp.Money{Minor: 1, Currency: "USD"}
	got, err := euro.Add(dollar)
	assert.ErrorIs(t, err, erp.ErrCurrencyMismatch, "sum %v", got)
	assert.Equal(t, erp.Money{}, got, "sum %v", got)
	got, err = euro.Sub(dollar)
	assert.ErrorIs(t, err, erp.ErrCurrencyMismatch, "difference %v", got)
	assert.Equal(t, erp.Money{}, got, "difference %v", got)
}

// FuzzMoney compares the arithmetic with that of unbounded integers.
func FuzzMoney(f *testing.F) {
	for _, pair := range [][2]int64{
		{0, 0},
		{1, -1},
		{math.MaxInt64, 1},
		{math.MinInt64, -1},
		{math.MinInt64, 1},
		{math.MaxInt64, math.MinInt64},
		{0, math.MinInt64},
		{-1, math.MinInt64},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b int64) {
		x, y := erp.Money{Minor: a, Currency: "EUR"}, erp.Money{Minor: b, Currency: "EUR"}
		sum, err := x.Add(y)
		compare(t, sum, err, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		difference, err := x.Sub(y)
		compare(t, difference, err, new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
	})
}

func compare(t *testing.T, got erp.Money, err error, want *big.Int) {
	t.Helper()
	if !want.IsInt64() {
		assert.ErrorIs(t, err, erp.ErrOverflow, "got %v, %v where %s is out of range", got, err, want)
		assert.Equal(t, erp.Money{}, got, "got %v, %v where %s is out of range", got, err, want)
		return
	}
	assert.NoError(t, err)
	assert.Equal(t, erp.Money{Minor: want.Int64(), Currency: "EUR"}, got)
}

// FuzzAmount checks that an accepted amount is an integer that is written as it was read.
func FuzzAmount(f *testing.F) {
	for _, s := range []string{
		"1", "12.5", "1e3", "-1", "9007199254740991", "9007199254740992", "9223372036854775808", `"5"`, "null", "01", "1.0",
	} {
		f.Add(s, "EUR")
	}
	f.Add("1", "eur")
	f.Fuzz(func(t *testing.T, amount, currency string) {
		code, err := json.Marshal(currency)
		if err != nil {
			t.Skip()
		}
		n := erp.NewFeeStructure{ClassID: 1, Name: "Tuition", Term: "Autumn"}
		if json.Unmarshal([]byte(`{"amount_minor": `+amount+`, "currency": `+string(code)+`}`), &n) != nil ||
			n.Validate() != nil {
			return
		}
		_, ok := n.Currency.Digits()
		assert.True(t, ok, "%s %q accepts %+v", amount, currency, n)
		assert.GreaterOrEqual(t, n.AmountMinor, int64(1), "%s %q accepts %+v", amount, currency, n)
		assert.LessOrEqual(t, n.AmountMinor, int64(erp.MaxAmountMinor), "%s %q accepts %+v", amount, currency, n)
		assert.Equal(t, n.AmountMinor, int64(float64(n.AmountMinor)), "JavaScript cannot represent %d", n.AmountMinor)
	})
}
