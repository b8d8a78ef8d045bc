package erp_test

import (
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// The sum of a family's fees by currency.
func ExampleMoney() {
	fees := []erp.Fee{
		{OwedMinor: 250_00, Currency: "EUR"},
		{OwedMinor: 99_50, Currency: "EUR"},
		{OwedMinor: 30_000, Currency: "JPY"},
	}
	owed := map[erp.Currency]erp.Money{}
	for _, fee := range fees {
		sum, err := fee.Owed().Add(erp.Money{Minor: owed[fee.Currency].Minor, Currency: fee.Currency})
		orPanic(err) // an overflow of 64 bits
		owed[fee.Currency] = sum
	}
	fmt.Println(owed["EUR"], "and", owed["JPY"])
	_, err := owed["EUR"].Add(owed["JPY"])
	fmt.Println(err)

	// Output:
	// 349.50 EUR and 30000 JPY
	// add 30000 JPY to 349.50 EUR: amounts are of different currencies
}
