from contract.platforms.suite import PlatformContract
from contract.platforms.vendors.delighted import DelightedAccount
from contract.platforms.vendors.promoter import PromoterAccount
from contract.platforms.vendors.retently import RetentlyAccount
from contract.platforms.vendors.satismeter import SatisMeterAccount


class TestDelighted(PlatformContract):
    account = DelightedAccount


class TestRetently(PlatformContract):
    account = RetentlyAccount


class TestSatisMeter(PlatformContract):
    account = SatisMeterAccount


class TestPromoter(PlatformContract):
    account = PromoterAccount
