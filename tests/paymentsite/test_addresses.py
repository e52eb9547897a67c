"""What the site itself answers: the front door, addresses that nobody has, the titles of the API's pages."""

import json

import pytest
from django.test import Client, override_settings


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("address", ["/v1/nothing", "/v1/", "/webhooks/sandbox/nothing"])
def test_programs_get_a_problem_at_an_address_that_nobody_has(debug: bool, method: str, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    with override_settings(DEBUG=debug):
        response = getattr(client, method)(address)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


def test_the_front_door_leads_to_the_pages_of_the_api(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, "/docs/")
    assert client.get("/docs/").status_code == 200


def test_each_operation_of_the_api_has_a_title(client: Client) -> None:
    schema = json.loads(client.get("/v1/openapi.json", headers={"accept": "application/json"}).content)
    operations = [
        operation for methods in schema["paths"].values() for operation in methods.values() if operation
    ]
    assert len(operations) > 10
    untitled = [operation["operationId"] for operation in operations if not operation.get("summary")]
    assert untitled == []
    assert next(iter(schema["paths"])) == "/v1/payments"


def test_staff_read_times_to_the_second_on_a_clock_of_24_hours(admin_client: Client) -> None:
    page = admin_client.get("/admin/auth/user/").content.decode()
    assert "Back office, times in UTC" in page
    assert "a.m." not in page and "p.m." not in page
