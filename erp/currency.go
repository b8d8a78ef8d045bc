package erp

import "strings"

// Currency is the ISO 4217 code of a currency, such as "EUR".
type Currency string

// The currencies by the decimal digits of their minor units: ISO 4217, list one, as of January
// 2026. Precious metals, units of account and funds are left out: schools are not paid in them.
const (
	withoutMinorUnit = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
	hundredths       = `
		AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
		CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
		GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL
		MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
		PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
		SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`
	thousandths = "BHD IQD JOD KWD LYD OMR TND"
)

// Digits returns the number of decimal digits of the currency's minor unit: 2 for "EUR", whose
// minor unit is the cent, 0 for "JPY", 3 for "KWD". It returns false for an unknown code; codes are
// in upper case.
func (c Currency) Digits() (digits int, ok bool) {
	for digits, codes := range [...]string{0: withoutMinorUnit, 2: hundredths, 3: thousandths} {
		for code := range strings.FieldsSeq(codes) {
			if code == string(c) {
				return digits, true
			}
		}
	}
	return 0, false
}
