#!/bin/sh
# Buy as an app does: with a token, without a session, with points. sh buy.sh http://127.0.0.1:8000
set -eu
site=${1:-http://127.0.0.1:8000}
user=${2:-sita}

field() { # field NAME: the text of a field of the JSON on standard input
  python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], ""))' "$1"
}
api() { # api METHOD PATH [JSON]
  curl --silent --show-error --request "$1" "$site/api/$2" --header "Authorization: Token $token" \
    --header "Content-Type: application/json" ${3:+--data "$3"}
}

token=$(curl --silent --show-error "$site/api/token/" --data "username=$user" --data "password=ilam-demo" | field token)
api DELETE basket/ > /dev/null
api POST basket/ '{"product_type": "teahouse.Tea", "product_id": 1, "quantity": 2}' > /dev/null
echo "Points: $(api PUT payment/khalti/points/ '{"points": 200}')"
placed=$(api POST checkout/ '{"email": "sita@example.com", "shipping_address": "Sita Rai, Lakeside 6, Pokhara",
  "billing_address": "Sita Rai", "payment_method": "khalti"}')
echo "Pay on this page: $(echo "$placed" | field url)"
payment=$(echo "$placed" | field payment)

while :; do
  status=$(api GET "payment/khalti/payments/$payment/")
  [ "$(echo "$status" | field is_pending)" = True ] || break
  sleep 3
done
echo "Outcome: $(echo "$status" | field outcome)"
api GET "orders/$(echo "$placed" | field ref)/" | python3 -m json.tool
