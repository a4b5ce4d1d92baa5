from appliance.tasks import namespace

__all__ = ["namespace"]
